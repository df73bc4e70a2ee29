"""What keras.applications makes of a real picture, with genuine Keras 2.15 and 3.15: python make_pictures.py PICTURE

PICTURE is skimage's astronaut.png (public domain). For ResNet50 and InceptionV3, with the weights of rebuild.py: the
picture's pixels at the model's size, some of what preprocess_input makes of them, and what the model answers.
Under Keras 2.15 it writes pictures.npz; under another Keras it compares with that file.
"""

import os
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import rebuild
from PIL import Image

CORNER = (182, 40)  # left, top of the square that the model sees, at its own size: nothing has to be scaled
KEPT = slice(None, None, 997)  # of the flat prepared picture: a prime, so that every channel is among them
NAMES = {"resnet50": ("resnet50", 224, 0.0003), "inceptionv3": ("inception_v3", 299, 0.007)}

stored = {}
for name, (module, size, gentle) in NAMES.items():
    left, top = CORNER
    square = Image.open(sys.argv[1]).convert("RGB").crop((left, top, left + size, top + size))
    prepared = getattr(keras.applications, module).preprocess_input(np.asarray(square, "float32")[None])
    with tempfile.TemporaryDirectory() as folder:
        rebuild.write_h5(folder + "/model.h5", *rebuild.gentler(name, gentle))
        model = keras.models.load_model(folder + "/model.h5", compile=False)
    stored[name + "/gentle"] = np.float32(gentle)
    stored[name + "/prepared"] = np.asarray(prepared).ravel()[KEPT].astype("float32")
    stored[name + "/answer"] = model.predict(prepared, verbose=0)[0]
    best = stored[name + "/answer"].argsort()[::-1][:5]
    print(keras.__version__, name, [(int(i), float(stored[name + "/answer"][i])) for i in best])

file = rebuild.HERE / "pictures.npz"
if keras.__version__.startswith("2.15"):
    np.savez_compressed(file, **stored)
else:
    with np.load(file) as genuine:
        for key, value in stored.items():
            print(key, "differs by", np.abs(value - genuine[key]).max(), "of", np.abs(genuine[key]).max())
