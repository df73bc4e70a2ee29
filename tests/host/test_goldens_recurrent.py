"""Recurrent layers and wrappers answer what genuine Keras of each version answers, on the reference backend."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import webkeras

ROOT = Path(__file__).parents[1] / "golden/layers"
sys.path.insert(0, str(ROOT))
import golden_file  # noqa: E402

CLASSES = ("SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "TimeDistributed")
CASES = [
    pytest.param(case, version, id=f"{version}-{path.stem}-{case.name}")
    for name in CLASSES
    for path in sorted(ROOT.glob(f"keras*/{name}.npz"))
    for version, cases in [golden_file.read(path)]
    for case in cases
]


def load(case, version):
    buf, metadata = case.buf()
    return webkeras.load_model(
        json.dumps(case.config).encode(),
        weights=buf,
        metadata=json.dumps(metadata).encode(),
        backend="reference",
        keras_version=version,
    )


def answers(case, version):
    """The outputs, all calls of the case one after another."""
    calls, found = case.notes.get("calls", 1), []
    with load(case, version) as model:
        for i in range(calls):
            if i in case.notes.get("reset_before", []):
                model.reset_states()
            y = model.predict({name: np.split(x, calls)[i] for name, x in case.inputs})
            found.append(y if isinstance(y, list) else [y])
    return [np.concatenate(a) for a in zip(*found, strict=True)]


@pytest.mark.parametrize(("case", "version"), CASES)
def test_layer_answers_as_keras(case, version):
    for got, (name, want) in zip(answers(case, version), case.outputs, strict=True):
        assert got.shape == want.shape, name
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * max(1, np.abs(want).max()), err_msg=name)


def test_every_keras_and_class_has_goldens():
    have = {(p.values[1], p.id.split("-")[1]) for p in CASES}
    assert {(v, c) for v in ("2.1.2", "2.15.0", "3.15.1") for c in CLASSES} <= have
