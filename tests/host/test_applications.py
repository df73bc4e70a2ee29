"""Models of keras.applications with random weights, against genuine Keras: those that are small."""

from __future__ import annotations

import json

import numpy as np
import pytest

import webkeras
from tests.golden.models import applications

FILES = sorted(applications.HERE.glob("applications_keras*.npz"))
ROWS = [(path, name) for path in FILES for name in np.load(path).files if "/" not in name]


@pytest.mark.parametrize(("path", "name"), ROWS, ids=lambda v: getattr(v, "stem", v))
def test_an_application_answers_as_keras(path, name) -> None:
    with np.load(path) as stored:
        told, want = json.loads(stored[name].tobytes()), stored[f"{name}/output"]
    arrays, x = applications.rebuilt(told["weights"], told["size"])
    metadata, offset = [], 0
    for (layer, weight, shape), a in zip(told["weights"], arrays, strict=True):
        entry = {"layer_name": layer, "weight_name": weight, "offset": offset, "length": a.size, "shape": shape}
        metadata.append({**entry, "type": "float32"})
        offset += a.nbytes
    weights = b"".join(a.tobytes() for a in arrays)
    files = {"weights": weights, "metadata": json.dumps(metadata).encode()}
    model = webkeras.load_model(json.dumps(told["config"]).encode(), **files, backend="reference")
    assert np.abs(model.predict(x) - want).max() < 1e-5 * np.abs(want).max()


def test_there_are_some_of_both() -> None:
    assert [path.stem for path in FILES] == ["applications_keras2.15.0", "applications_keras3.15.1"]
