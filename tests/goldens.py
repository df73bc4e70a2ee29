"""The layer goldens of genuine Keras, and a model's answers beside them: on the host, and in Pyodide in a browser.

Needs numpy and webkeras only, and finds tests/golden/layers beside itself.
"""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from webkeras.loading import load_model
from webkeras.model import Model
from webkeras.spec import flat

GOLDEN = Path(__file__).parent / "golden" / "layers"
FILES = sorted(GOLDEN.glob("keras*/*.npz"))

#: Relative to the largest number of an output. Both sides are float32 and sum in an order of their own; a GPU's
#: functions are a few ulps worse.
TOLERANCE = {"reference": 1e-5, "wasm": 1e-5, "webgl2": 1e-4}
#: Where Keras itself is less exact than that, by how a case's name begins, with the reason.
LOOSER: dict[str, tuple[float, str]] = {
    "keras2.15.0/UpSampling2D interpolation=bicubic": (2e-3, "TensorFlow has cubic weights in a table of 1024 steps"),
    "keras2.15.0/Resizing height=7,interpolation=bicubic": (2e-3, "the same table"),
    "keras2.15.0/Resizing height=3,interpolation=bicubic": (2e-3, "the same table"),
}

_spec = importlib.util.spec_from_file_location("golden_file", GOLDEN / "golden_file.py")
assert _spec is not None
assert _spec.loader is not None
golden_file: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(golden_file)


@cache
def cases(path: Path) -> tuple[str, dict[str, Any]]:
    """(keras_version, {name: Case}) of a file."""
    version, found = golden_file.read(path)
    return version, {c.name: c for c in found}


def rows() -> list[str]:
    """Every case as "folder/Class name"."""
    return [f"{f.parent.name}/{f.stem} {name}" for f in FILES for name in cases(f)[1]]


def find(row: str) -> tuple[str, Any]:
    """(keras_version, Case) of a row."""
    file, _, name = row.partition(" ")
    version, of = cases(GOLDEN / f"{file}.npz")
    return version, of[name]


def tolerance(row: str, backend: str) -> float:
    """What a row's answers on a backend may be off by."""
    return next((allowed for start, (allowed, _) in LOOSER.items() if row.startswith(start)), TOLERANCE[backend])


def load(version: str, case: Any, backend: str) -> Model:
    """The model of a case."""
    weights, metadata = case.buf()
    return load_model(
        json.dumps(case.config).encode(),
        weights=weights,
        metadata=json.dumps(metadata).encode(),
        backend=backend,
        keras_version=version,
        theano_kernels=case.notes.get("theano"),
    )


def answers(model: Model, case: Any) -> list[Any]:
    """The outputs of a case: of one call, or of its calls one after another where the layer keeps states."""
    calls, found = case.notes.get("calls", 1), []
    for i in range(calls):
        if i in case.notes.get("reset_before", []):
            model.reset_states()
        xs = [np.split(x, calls)[i] for _, x in case.inputs] + list(case.notes.get("texts", {}).values())
        y = model.predict(xs if len(xs) > 1 else xs[0])
        found.append(flat(y))
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def wanted(case: Any) -> list[Any]:
    """The outputs, flat: where the model gives a list within the list, the file has its members in one array."""
    config = case.config["config"]
    ends = config.get("output_layers", []) if isinstance(config, dict) else []
    rows = zip(ends, case.outputs, strict=True) if len(ends) == len(case.outputs) else ((None, o) for o in case.outputs)
    return [a for end, (_, y) in rows for a in (y if isinstance(end, list) and isinstance(end[0], list) else [y])]


def error(found: list[Any], case: Any) -> float:
    """How far off outputs are, relative to the largest finite number of each; NaN and infinity equal themselves.

    Raises ValueError where there are too many, too few, or of another shape.
    """
    worst = 0.0
    for got, want in zip(found, wanted(case), strict=True):
        if got.shape != want.shape:
            raise ValueError(f"{case.name}: an output of shape {got.shape}; expected {want.shape}")
        finite = np.isfinite(want)
        if not np.array_equal(got[~finite], want[~finite], equal_nan=True) or not np.isfinite(got[finite]).all():
            return float("inf")
        scale = max(float(np.abs(want[finite]).max(initial=0)), 1e-3)
        worst = max(worst, float(np.abs(got[finite] - want[finite]).max(initial=0)) / scale)
    return worst
