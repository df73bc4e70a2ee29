"""Make a golden model's files again without Keras:  python tests/golden/models/rebuild.py NAME... OUTDIR

Writes into OUTDIR/NAME: NAME.json, NAME_weights.buf, NAME_metadata.json; NAME.h5 as Keras 2.15 saves it;
tfjs/model.json with w.bin; x.f32, y.f32 (genuine Keras' answer) and io.json.  Needs numpy, and h5py for the .h5.

Only what cannot be computed is stored here, by make_models.py: NAME.json (the architecture), NAME_recipe.json (weight
names and shapes in file order, factors, inputs) and NAME.npz (batch-norm statistics, outputs of Keras in float64 and in
float32).  The weights come from weights.py.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from weights import images, tokens, weight  # noqa: E402  (a neighbour, whoever imports this file)

STATISTICS = ("moving_mean:0", "moving_variance:0")


def names():
    """Return the golden models' names."""
    return sorted(p.name[: -len("_recipe.json")] for p in HERE.glob("*_recipe.json"))


def read_recipe(name):
    return json.loads((HERE / f"{name}_recipe.json").read_text())


def make_weights(recipe, statistics=None):
    """Return [(layer name, weight name, array)] in file order; `statistics` are batch norm's, in a row."""
    result, position = [], 0
    for layer_name, weight_name, shape in recipe["weights"]:
        array = weight(weight_name, shape)
        if statistics is not None and weight_name.endswith(STATISTICS):
            array = statistics[position : position + array.size].reshape(shape)
            position += array.size
        if weight_name in recipe["factors"]:
            array = array * np.float32(recipe["factors"][weight_name])
        result.append((layer_name, weight_name, array.astype("<f4")))
    return result


def make_inputs(recipe, name="input", samples=None):
    """Return the input batch that `recipe` describes; another `name` gives other numbers of the same kind."""
    shape = (samples or recipe["samples"], *recipe["input_shape"])
    return tokens(name, shape, recipe["vocabulary"]) if "vocabulary" in recipe else images(name, shape)


def load(name):
    """Return (architecture JSON text, weights, inputs, outputs) of a golden model."""
    recipe, stored = read_recipe(name), np.load(HERE / f"{name}.npz")
    return (
        (HERE / f"{name}.json").read_text(),
        make_weights(recipe, stored["statistics"]),
        make_inputs(recipe),
        stored["outputs"],
    )


def gentler(name, factor):
    """Return (architecture, weights) with the last kernel scaled: the models expect pictures from 0 to 1, and what
    keras.applications prepares is larger, so that one class would get all of the softmax."""
    recipe, stored = read_recipe(name), np.load(HERE / f"{name}.npz")
    recipe["factors"] = {k: v * factor for k, v in recipe["factors"].items()}
    return (HERE / f"{name}.json").read_text(), make_weights(recipe, stored["statistics"])


def write_buf(folder, name, weights):
    metadata, offset = [], 0
    with open(folder / f"{name}_weights.buf", "wb") as file:
        for layer_name, weight_name, array in weights:
            metadata.append(
                {
                    "layer_name": layer_name,
                    "weight_name": weight_name,
                    "offset": offset,
                    "length": array.size,
                    "shape": list(array.shape),
                    "type": "float32",
                }
            )
            file.write(array.tobytes())
            offset += array.nbytes
    (folder / f"{name}_metadata.json").write_text(json.dumps(metadata))


def saved_config(architecture):
    """Return the configuration as Keras 2.15 saves it in HDF5: without three keys that its JSON has."""
    spec = json.loads(architecture)
    for layer in spec["config"]["layers"]:
        for key in ("module", "registered_name", "build_config"):
            layer.pop(key, None)
    return {"class_name": spec["class_name"], "config": spec["config"]}


def write_h5(path, architecture, weights):
    """Write a whole model without optimizer, laid out as Keras 2.15's `model.save("x.h5")` does."""
    import h5py

    spec = json.loads(architecture)
    layers = [
        layer["config"]["name"]
        for layer in spec["config"]["layers"]
        if not (spec["class_name"] == "Sequential" and layer["class_name"] == "InputLayer")
    ]  # which a Sequential does not list
    version = {"keras_version": spec["keras_version"].encode(), "backend": b"tensorflow"}
    with h5py.File(path, "w") as file:
        file.attrs.update(version)
        file.attrs["model_config"] = json.dumps(saved_config(architecture)).encode()
        root = file.create_group("model_weights")
        root.attrs.update(version)
        root.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer in layers:
            group, mine = root.create_group(layer), [(n, a) for owner, n, a in weights if owner == layer]
            group.attrs["weight_names"] = [n.encode() for n, _ in mine]
            for weight_name, array in mine:
                group.create_dataset(weight_name, data=array)
        root.create_group("top_level_model_weights").attrs["weight_names"] = []


def write_tfjs(folder, architecture, weights):
    folder.mkdir(exist_ok=True)
    (folder / "w.bin").write_bytes(b"".join(array.tobytes() for _, _, array in weights))
    entries = [{"name": n.split(":")[0], "shape": list(a.shape), "dtype": "float32"} for _, n, a in weights]
    topology = {
        "keras_version": json.loads(architecture)["keras_version"],
        "backend": "tensorflow",
        "model_config": saved_config(architecture),
    }
    (folder / "model.json").write_text(
        json.dumps(
            {
                "format": "layers-model",
                "modelTopology": topology,
                "weightsManifest": [{"paths": ["w.bin"], "weights": entries}],
            }
        )
    )


def rebuild(name, outdir):
    """Write every form of model `name` under outdir/name and return that folder."""
    folder = Path(outdir) / name
    folder.mkdir(parents=True, exist_ok=True)
    architecture, weights, x, y = load(name)
    recipe = read_recipe(name)
    (folder / f"{name}.json").write_text(architecture)
    write_buf(folder, name, weights)
    write_tfjs(folder / "tfjs", architecture, weights)
    x.astype("<f4").tofile(folder / "x.f32")
    y.astype("<f4").tofile(folder / "y.f32")
    try:
        write_h5(folder / f"{name}.h5", architecture, weights)
    except ImportError:
        print(f"{name}.h5 is left out: h5py is not installed", file=sys.stderr)
    io = {
        "samples": len(x),
        "input": [1, *x.shape[1:]],
        "output": [1, *y.shape[1:]],
        "input_name": recipe["input_name"],
        "output_name": recipe["output_name"],
    }
    (folder / "io.json").write_text(json.dumps(io))  # last: its presence says that the folder is whole
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Rebuild golden models without Keras.")
    parser.add_argument("names", nargs="+", metavar="NAME", help=", ".join(names()) + ", or all")
    parser.add_argument("outdir")
    arguments = parser.parse_args()
    for wanted in names() if arguments.names == ["all"] else arguments.names:
        if wanted not in names():
            parser.error(f"no golden model {wanted!r}; there are {', '.join(names())}")
        print(rebuild(wanted, arguments.outdir))
