"""Lays a model out for the page in every form the engines take: dist/bench/models/NAME.

io.json (shapes and names), x.f32, y.f32 (genuine Keras' answer), NAME.json with its buffer, tfjs/, NAME.tflite and
NAME.onnx.
Golden models are rebuilt (tests/golden/models); the carried ones are those of the demos, from packages.
"""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench import convert
from tests.golden.models import rebuild
from tools import assets, demo
from tools.common import fail, step

CARRIED = {"fer": [1, 64, 64, 1], "upscaler_x2": [1, 128, 128, 3], "nsfw_mobilenet_v2": [1, 224, 224, 3]}


def names() -> list[str]:
    return [*rebuild.names(), *CARRIED]


def lay_out(name: str, models: Path) -> None:
    """One model under `models`."""
    if name not in names():
        fail(f"the bench has no model '{name}'; it has {', '.join(names())}")
    folder = models / name
    if name in CARRIED:
        carry(name, folder)
    else:
        sources = [rebuild.HERE / f"{name}{end}" for end in (".json", "_recipe.json", ".npz")]
        sources += [rebuild.HERE / "rebuild.py", rebuild.HERE / "weights.py"]
        step(f"rebuilding {name}", folder / "io.json", sources, lambda: rebuild.rebuild(name, models))
    convert.convert(name, folder)


def carry(name: str, folder: Path) -> None:
    demo.lay_out()
    files = [demo.MODELS / name / f"{name}{end}" for end in (".json", "_weights.buf", "_metadata.json")]

    def work() -> None:
        (folder / "tfjs").mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, folder / file.name)
        config = json.loads(files[0].read_text())["config"]
        x, y = sample(name)
        x.astype("<f4").tofile(folder / "x.f32")
        (folder / "y.f32").unlink(missing_ok=True)
        if y is not None:
            y.astype("<f4").tofile(folder / "y.f32")
        tfjs(name, folder)
        output = (config["output_layers"][0] if isinstance(config, dict) else [config[-1]["config"]["name"]])[0]
        io = {"samples": 1, "input": CARRIED[name], "output": OUTPUTS[name], "input_name": "input"}
        (folder / "io.json").write_text(json.dumps({**io, "output_name": output}))

    step(f"carrying {name}", folder / "io.json", [*files, Path(__file__)], work)


OUTPUTS = {"fer": [1, 7], "upscaler_x2": [1, 256, 256, 3], "nsfw_mobilenet_v2": [1, 5]}


def sample(name: str) -> tuple[Any, Any]:
    """An input, and the answer where a golden has it; convert.py asks Keras for the others."""
    if name == "fer":
        golden = np.load(rebuild.HERE / "fer.npz")
        return golden["input"], golden["outputs"]
    picture = rebuild.images(f"bench/{name}", CARRIED[name])
    return (np.floor(picture * 255) if name == "upscaler_x2" else picture), None


def tfjs(name: str, folder: Path) -> None:
    """TF.js' own files: those the packages carry; fer's are written from our own."""
    if name == "fer":
        return write_fer(folder)
    if name == "upscaler_x2":
        model = json.loads(assets.fetch("upscaler.json").read_text())
        data = assets.fetch("upscaler.bin").read_bytes()
    else:
        model = demo.exported(assets.fetch("nsfw.js"))
        data = base64.b64decode(demo.exported(assets.fetch("nsfw_weights.js")))
    for group in model["weightsManifest"]:
        group["paths"] = ["w.bin"]
    (folder / "tfjs/w.bin").write_bytes(data)
    (folder / "tfjs/model.json").write_text(json.dumps(model))


def write_fer(folder: Path) -> None:
    """TF.js finds weights by their layer's name; in fer's file they carry others."""
    described = json.loads((folder / "fer_metadata.json").read_text())
    data, rows = (folder / "fer_weights.buf").read_bytes(), []
    for w in described:
        size = 4 * int(np.prod(w["shape"]))
        array = np.frombuffer(data[w["offset"] : w["offset"] + size], "<f4").reshape(w["shape"])
        role = w["weight_name"].split("/")[-1]
        rows.append((w["layer_name"], f"{w['layer_name']}/{role}", array))
    architecture = json.loads((folder / "fer.json").read_text())
    rebuild.write_tfjs(folder / "tfjs", json.dumps({"keras_version": "2.0.5", **architecture}), rows)
