"""Make nsfw.npz with genuine Keras 2.15:  python make_nsfw.py model.min.js group1-shard1of1.min.js astronaut.png

The model is dist/models/mobilenet_v2 of the npm package nsfwjs 4.4.0 (MIT): a TF.js layers model of Keras 2.2.4, all
weights in single bytes, wrapped in JavaScript. The picture is scikit-image's (public domain, NASA), its pixels from
CORNER on, divided by 255. Neither is stored here, but `output`, the probabilities of drawing, hentai, neutral, porn
and sexy, and `keras_version`.
"""

import base64
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
from PIL import Image

CORNER, SIZE = (182, 40), 224


def exported(path):
    """What a CommonJS module exports, by node."""
    script = f"process.stdout.write(JSON.stringify(require({json.dumps(str(Path(path).resolve()))})))"
    return json.loads(subprocess.run(["node", "-e", script], check=True, capture_output=True).stdout)


def main(model_path, weights_path, picture_path):
    document, data = exported(model_path), base64.b64decode(exported(weights_path))
    model = keras.models.model_from_json(json.dumps(document["modelTopology"]["model_config"]))
    values, at = {}, 0
    for group in document["weightsManifest"]:
        for w in group["weights"]:
            q, n = w["quantization"], int(np.prod(w["shape"]))
            stored = np.frombuffer(data, q["dtype"], n, at).reshape(w["shape"])
            values[w["name"]] = stored.astype("float32") * np.float32(q["scale"]) + np.float32(q["min"])
            at += stored.nbytes
    assert at == len(data)
    for layer in model.layers:
        names = [v.name.split("/")[-1].split(":")[0] for v in layer.weights]
        layer.set_weights([values.pop(f"{layer.name}/{name}") for name in names])
    assert not values, sorted(values)
    left, top = CORNER
    square = Image.open(picture_path).convert("RGB").crop((left, top, left + SIZE, top + SIZE))
    y = model.predict(np.asarray(square, "float32")[None] / 255, verbose=0)
    np.savez_compressed(Path(__file__).resolve().parent / "nsfw.npz", output=y, keras_version=keras.__version__)
    print(keras.__version__, y)


if __name__ == "__main__":
    main(*sys.argv[1:])
