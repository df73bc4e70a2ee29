"""Operations inside graphs, against genuine Keras 3.15.1 and 2.15."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import webkeras
from webkeras.layers.operations import OPERATIONS, TENSORFLOW

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN / "layers"))
import golden_file  # noqa: E402

CASES = {
    f"{version} {case.name}": (version, case)
    for path in sorted((GOLDEN / "files").glob("operations_*.npz"))
    for version, cases in [golden_file.read(path)]
    for case in cases
}


@pytest.mark.parametrize("name", CASES)
def test_an_operation_answers_as_keras_does(name: str) -> None:
    version, case = CASES[name]
    model = webkeras.load_model(json.dumps(case.config).encode(), backend="reference", keras_version=version)
    y: Any = model.predict(dict(case.inputs))
    found = y if isinstance(y, list) else [y]
    assert len(found) == len(case.outputs)
    for ours, (_, theirs) in zip(found, case.outputs, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("3")])
def test_an_operation_of_an_h5_file_has_no_module(name: str) -> None:
    _, case = CASES[name]
    config = copy.deepcopy(case.config)
    for row in config["config"]["layers"]:
        row.pop("module")
    told, silent = (
        webkeras.load_model(json.dumps(c).encode(), backend="reference", keras_version="3.15.1")
        for c in (case.config, config)
    )
    assert str(silent.spec) == str(told.spec)


def test_tensorflows_names_lead_somewhere() -> None:
    assert {name for name, _ in TENSORFLOW.values()} <= set(OPERATIONS)


def functional(**operation: Any) -> bytes:
    """A Keras 3 model of one operation."""
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}
    row = {
        "module": "keras.src.ops.numpy",
        "config": {"name": "o"},
        "name": "o",
        "inbound_nodes": [{"args": [tensor], "kwargs": {}}],
    }
    inputs = {
        "class_name": "InputLayer",
        "config": {"batch_shape": [None, 4], "name": "x"},
        "name": "x",
        "inbound_nodes": [],
    }
    config = {
        "name": "m",
        "layers": [inputs, {**row, **operation}],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["o", 0, 0]],
    }
    return json.dumps({"module": "keras", "class_name": "Functional", "config": config}).encode()


def test_an_unknown_operation_is_named() -> None:
    with pytest.raises(webkeras.ConfigError, match="Operation 'o': operation 'bincount' is unknown"):
        webkeras.load_model(functional(class_name="Bincount"), backend="reference")


def test_an_argument_nobody_knows_is_an_error() -> None:
    model = webkeras.load_model(functional(class_name="Relu", config={"name": "o", "slope": 3}), backend="reference")
    with pytest.raises(webkeras.ConfigError, match=r"Operation 'o'.*slope"):
        model.predict(np.ones((1, 4)))
