"""Every layer against what the genuine Keras of its dialect answered: tests/golden/layers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from webkeras.backends import choose
from webkeras.dialects import DIALECTS
from webkeras.format import Entry, dump
from webkeras.model import Model, load_model
from webkeras.spec import Call, LayerSpec, Ref, Spec
from webkeras.weights import HostBuffer, read

GOLDEN = Path(__file__).parent.parent / "golden" / "layers"

#: Relative to the largest number of an output: both sides are float32 and sum in an order of their own.
TOLERANCE = 1e-5
LOOSER: dict[str, float] = {}


def rows() -> Iterator[tuple[str, str, str]]:
    for path in sorted(GOLDEN.glob("keras*/*.npz")):
        with np.load(path) as data:
            for name in sorted({k.rpartition("/model")[0] for k in data.files if k.endswith("/model")}):
                yield path.parent.name, path.stem, name


ROWS = list(rows())


def numbered(data: dict[str, np.ndarray], prefix: str) -> list[tuple[str, np.ndarray]]:
    """Entries PREFIX/I/REST as (REST, array), in the order of I."""
    found = [(k.removeprefix(prefix).split("/", 1), v) for k, v in data.items() if k.startswith(prefix)]
    return [(head[1] if len(head) > 1 else "", v) for head, v in sorted(found, key=lambda row: int(row[0][0]))]


def encoded(weights: list[tuple[str, np.ndarray]]) -> tuple[bytes, bytes]:
    """Weights named LAYER/NAME as the encoder's two files."""
    entries, end = [], 0
    for path, w in weights:
        layer, _, name = path.partition("/")
        entries.append(Entry(layer, name, end, w.shape, "float32"))
        end += w.size * 4
    return b"".join(w.astype("<f4").tobytes() for _, w in weights), dump(entries).encode()


def keras3(config: dict[str, Any]) -> Spec:
    """A Spec of one of these small functional models, until the Keras 3 dialect is there; masks stay implicit."""

    def refs(x: Any) -> Any:
        if isinstance(x, dict) and x.get("class_name") == "__keras_tensor__":
            return Ref(*x["config"]["keras_history"])
        if isinstance(x, dict):
            return {k: refs(v) for k, v in x.items() if "mask" not in k or isinstance(v, bool)}
        return [refs(v) for v in x] if isinstance(x, list) else x

    layers = []
    for row in config["layers"]:
        if not row["module"].startswith("keras.src.ops"):
            calls = [Call(refs(n["args"]), refs(n["kwargs"])) for n in row["inbound_nodes"]] or [Call([])]
            layers.append(LayerSpec(row["class_name"], row["name"], row["config"], calls))
    ends = [
        [Ref(*r) for r in ([rows] if isinstance(rows[0], str) else rows)]
        for rows in (config["input_layers"], config["output_layers"])
    ]
    return Spec(config["name"], "Functional", layers, *ends, 3, "3.15")


@pytest.mark.parametrize(("dialect", "cls", "case"), ROWS, ids=["-".join(r) for r in ROWS])
def test_layer_answers_as_keras(dialect: str, cls: str, case: str) -> None:
    with np.load(GOLDEN / dialect / f"{cls}.npz") as file:
        data = {k.removeprefix(f"{case}/"): file[k] for k in file.files if k.startswith(f"{case}/")}
    weights, metadata = encoded(numbered(data, "weight/"))
    text = str(data["model"])
    if dialect == "keras3" and 3 not in DIALECTS:
        model = Model(keras3(json.loads(text)["config"]), read(metadata.decode(), HostBuffer(weights)), choose("reference"))
    else:
        model = load_model(text.encode(), weights=weights, metadata=metadata, backend="reference")
    xs = [x for _, x in numbered(data, "input/")]
    ys = model.predict(xs if len(xs) > 1 else xs[0])
    wants = [y for _, y in numbered(data, "output/")]
    for got, want in zip(ys if len(wants) > 1 else [ys], wants, strict=True):
        assert got.shape == want.shape
        scale = max(float(np.abs(want[np.isfinite(want)]).max(initial=0)), 1e-3)
        np.testing.assert_allclose(got / scale, want / scale, rtol=0, atol=LOOSER.get(f"{cls}-{case}", TOLERANCE))


def test_there_are_goldens_of_every_dialect() -> None:
    assert {"keras2", "keras3"} <= {r[0] for r in ROWS}
    for dialect, version in (("keras2", "2.15.0"), ("keras3", "3.15.1")):
        with np.load(GOLDEN / dialect / "Conv1D.npz") as file:
            assert str(file["keras_version"]) == version
