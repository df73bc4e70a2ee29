"""Write and read a layer's golden file: several small models of one Keras version with weights, inputs and outputs.

One .npz holds two arrays.  `index` is the bytes of a JSON text: {"keras_version", "cases": [{"name", "config", "notes",
"weights", "inputs", "outputs"}]}, where each array stands as its names and its shape.  `values` is the numbers of all
these arrays one after another, float32, case by case: weights, inputs, outputs.
Needs numpy only, and runs on Python 3.6 too, where the oldest Keras lives.
"""

import json

import numpy as np

KINDS = ("weights", "inputs", "outputs")


class Case:
    """One model and what genuine Keras answered.

    name      unique within its file
    config    the dictionary of model.to_json()
    weights   [[layer name, weight name, array]] in the order of Keras' HDF5 files and of get_weights()
    inputs, outputs   [[input or output layer's name, array]]
    notes     dictionary of what else a test should know; empty for most
    """

    def __init__(self, name, config, weights, inputs, outputs, notes=None):
        self.name, self.config, self.weights, self.inputs, self.outputs, self.notes = (
            name,
            config,
            weights,
            inputs,
            outputs,
            notes or {},
        )

    def buf(self):
        """Return (bytes, metadata list): the weights in the encoder's format."""
        metadata, offset = [], 0
        for layer_name, weight_name, array in self.weights:
            metadata.append(
                {
                    "layer_name": layer_name,
                    "weight_name": weight_name,
                    "offset": offset,
                    "length": int(array.size),
                    "shape": list(array.shape),
                    "type": "float32",
                }
            )
            offset += 4 * int(array.size)
        return b"".join(array.astype("<f4").tobytes() for _, _, array in self.weights), metadata


def write(path, keras_version, cases):
    """Write `cases`, all their numbers in one vector: an array of its own for each would double the file."""
    assert len({case.name for case in cases}) == len(cases), f"two cases of one name in {path}"
    index, values = [], []
    for case in cases:
        entry = {"name": case.name, "config": case.config, "notes": case.notes}
        for key in KINDS:
            entry[key] = [[*list(item[:-1]), list(item[-1].shape)] for item in getattr(case, key)]
            values += [item[-1].ravel() for item in getattr(case, key)]
        index.append(entry)
    text = json.dumps({"keras_version": keras_version, "cases": index}, sort_keys=True)
    np.savez_compressed(
        str(path), index=np.frombuffer(text.encode(), np.uint8), values=np.concatenate(values).astype("<f4")
    )


def read(path):
    """Return (keras_version, [Case])."""
    with np.load(str(path)) as file:
        index, values = json.loads(file["index"].tobytes().decode()), file["values"]
    position, cases = 0, []
    for entry in index["cases"]:
        for key in KINDS:
            for item in entry[key]:
                size = int(np.prod(item[-1], dtype=int))
                item[-1] = values[position : position + size].reshape(item[-1])
                position += size
        cases.append(Case(**entry))
    assert position == len(values), f"{path}: {len(values)} numbers, the index describes {position}"
    return index["keras_version"], cases
