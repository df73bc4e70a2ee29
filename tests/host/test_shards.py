"""Files that name other files: TF.js layers models, Keras' sharded weights, the encoder's shards."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import webkeras
from encoder import encoder
from webkeras import files
from webkeras.buffer import HostBuffer
from webkeras.spec import flat

GOLDEN = Path(__file__).parents[1] / "golden" / "files"
TFJS = GOLDEN / "tfjs4.22.0"
ANSWERS = json.loads((TFJS / "answers.json").read_text())
QUANTIZED = {"float16": 2e-3, "uint16": 1e-3, "uint8": 0.1}


def check(model: webkeras.Model, name: str, tolerance: float = 1e-5) -> None:
    """The model answers as TF.js did."""
    x = {k: np.array(v, "float32").reshape(3, 4) for k, v in ANSWERS[name]["inputs"].items()}
    y: Any = flat(model.predict(x))
    for found, wanted in zip(y, ANSWERS[name]["outputs"], strict=True):
        np.testing.assert_allclose(found.ravel(), wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_layers_model_of_tensorflow_js_answers_as_it_did(name: str) -> None:
    check(webkeras.load_model(TFJS / f"{name}.json", backend="reference"), name)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_encoder_takes_it_too(name: str, tmp_path: Path) -> None:
    with redirect_stdout(io.StringIO()):
        assert encoder.main([str(TFJS / f"{name}.json"), "-o", str(tmp_path), "--name", "m"]) == 0
    paths = [tmp_path / n for n in ("m.json", "m_weights.buf", "m_metadata.json")]
    check(webkeras.load_model(paths[0], weights=paths[1], metadata=paths[2], backend="reference"), name)


def quantized(folder: Path, name: str, kind: str) -> Path:
    """A golden as the converter quantises it: linear from min by scale, or float16; one group per weight."""
    model = json.loads((TFJS / f"{name}.json").read_text())
    (group,) = model["weightsManifest"]
    raw, at, groups = b"".join((TFJS / p).read_bytes() for p in group["paths"]), 0, []
    for i, row in enumerate(group["weights"]):
        a = np.frombuffer(raw, "<f4", int(np.prod(row["shape"])), at)
        at += a.nbytes
        if kind == "float16":
            row["quantization"], data = {"dtype": kind, "original_dtype": "float32"}, a.astype("<f2").tobytes()
        else:
            scale = float(np.ptp(a)) / np.iinfo(kind).max or 1.0
            row["quantization"] = {"dtype": kind, "min": float(a.min()), "scale": scale, "original_dtype": "float32"}
            data = np.rint((a - a.min()) / scale).astype(kind).tobytes()
        (folder / f"group{i + 1}-shard1of1.bin").write_bytes(data)
        groups.append({"paths": [f"./group{i + 1}-shard1of1.bin"], "weights": [row]})
    (folder / "model.json").write_text(json.dumps({**model, "weightsManifest": groups}))
    return folder / "model.json"


@pytest.mark.parametrize("kind", QUANTIZED)
def test_quantised_weights_of_tensorflow_js(kind: str, tmp_path: Path) -> None:
    path = quantized(tmp_path, "sequence", kind)
    model = webkeras.load_model(path, backend="reference")
    check(model, "sequence", QUANTIZED[kind])
    spec, found = files.open_model(
        files.File(HostBuffer(path.read_bytes()), "m"),
        others={p.name: HostBuffer(p.read_bytes()) for p in tmp_path.glob("*.bin")},
    )
    assert isinstance(found, list)
    assert {t.type for t in found} == {kind}  # they stay small until a backend wants them
    assert spec.dialect == 2


def test_the_encoders_shards_open_without_being_joined(tmp_path: Path) -> None:
    """A model whose weights take 1.2 MB, in shards of 1 MiB: the metadata alone say where they are."""
    layers = [{"class_name": "Dense", "config": {"name": "d", "units": 3000, "batch_input_shape": [None, 100]}}]
    text = json.dumps(
        {"class_name": "Sequential", "keras_version": "2.15.0", "config": {"name": "s", "layers": layers}}
    )
    kernel = np.random.default_rng(3).standard_normal((100, 3000)).astype("float32")
    raw, bias = kernel.tobytes(), np.arange(3000, dtype="float32").tobytes()
    rows = [
        {"layer_name": "d", "weight_name": n, "offset": o, "length": len(b) // 4, "shape": s, "type": "float32"}
        for n, o, b, s in (("k", 0, raw, [100, 3000]), ("b", len(raw), bias, [3000]))
    ]
    whole = raw + bias
    parts = {"m.0.buf": whole[: 1 << 20], "m.1.buf": whole[1 << 20 :]}
    shards = [{"file": n, "bytes": len(b)} for n, b in parts.items()]
    meta = json.dumps({"format": "webkeras-1", "keras_version": "2.15.0", "shards": shards, "weights": rows})
    for name, data in {"m.json": text.encode(), "m_metadata.json": meta.encode(), **parts}.items():
        (tmp_path / name).write_bytes(data)
    x = np.random.default_rng(4).standard_normal((2, 100)).astype("float32")
    model = webkeras.load_model(tmp_path / "m.json", metadata=tmp_path / "m_metadata.json", backend="reference")
    np.testing.assert_allclose(model.predict(x), x @ kernel + np.arange(3000), rtol=1e-4, atol=1e-3)
    (tmp_path / "m.1.buf").write_bytes(parts["m.1.buf"][:-4])
    with pytest.raises(webkeras.WeightsError, match="1211996 bytes, but the metadata describes 1212000"):
        webkeras.load_model(tmp_path / "m.json", metadata=tmp_path / "m_metadata.json", backend="reference")


def _less(model: dict[str, Any]) -> None:
    model["weightsManifest"][0]["weights"].pop()


def _row(**change: Any) -> Any:
    return lambda model: model["weightsManifest"][0]["weights"][1].update(change)


def _paths(*names: Any) -> Any:
    return lambda model: model["weightsManifest"][0].update(paths=list(names))


def _top(**change: Any) -> Any:
    return lambda model: model.update(change)


REFUSE: dict[str, tuple[Any, str]] = {
    "a weight too few": (_less, "but the manifest describes"),
    "a huge shape": (_row(shape=[1 << 40]), "ends at byte"),
    "a negative shape": (_row(shape=[-1]), "expected a name, a shape"),
    "an odd type": (_row(dtype="complex64"), "expected a name, a shape and one of float32"),
    "text": (_row(dtype="string"), "expected a name, a shape and one of float32"),
    "no name": (_row(name=None), "expected a name"),
    "half a quantisation": (_row(quantization={"dtype": "uint8", "min": 0}), "quantised by"),
    "no number": (_row(quantization={"dtype": "uint8", "min": float("nan"), "scale": 1}), "expected a finite min"),
    "a file elsewhere": (_paths("../x.bin"), "expected a plain name in the same folder"),
    "a server elsewhere": (_paths("http://x/y.bin"), "expected a plain name in the same folder"),
    "a number as a name": (_paths(3), "expected a plain name in the same folder"),
    "no file": (_paths("none.bin"), "none.bin: cannot be read"),
    "a manifest that is none": (_top(weightsManifest={"a": 1}), "expected a list of paths and weights"),
    "a graph model": (_top(format="graph-model"), "a TF.js graph model, which keeps no layers"),
    "no model": (_top(modelTopology=None), "graph model|expected"),
    "an odd version": (lambda m: m["modelTopology"].update(keras_version=[3]), ""),
}


@pytest.mark.parametrize("what", REFUSE)
def test_bad_models_of_tensorflow_js_are_refused(what: str, tmp_path: Path) -> None:
    change, says = REFUSE[what]
    for p in TFJS.glob("nested.*"):
        shutil.copy(p, tmp_path)
    model = json.loads((tmp_path / "nested.json").read_text())
    change(model)
    (tmp_path / "nested.json").write_text(json.dumps(model))
    if not says:
        check(webkeras.load_model(tmp_path / "nested.json", backend="reference"), "nested")
        return
    with pytest.raises(webkeras.WebKerasError, match=says) as e:
        webkeras.load_model(tmp_path / "nested.json", backend="reference")
    assert "\n" not in str(e.value)


def sharded(**change: bytes | None) -> Any:
    """Keras' sharded weights of a golden, files changed or left out -> the call that opens them."""
    folder = GOLDEN / "keras3.15.1"
    found = {p.name: p.read_bytes() for p in sorted(folder.glob("everything[._]*")) if "weights" in p.name}
    found = {k: change.get(k.replace(".", "_"), v) or b"" for k, v in found.items()}
    others = {k: HostBuffer(v) for k, v in found.items() if v and k.endswith(".h5")}
    model = files.File(HostBuffer((folder / "everything.json").read_bytes()), "m.json")
    return files.open_model(model, files.File(HostBuffer(found["everything.weights.json"]), "w.json"), others=others)


def test_bad_shards_of_keras_are_refused() -> None:
    one = (GOLDEN / "keras3.15.1/everything_00001.weights.h5").read_bytes()
    with pytest.raises(
        webkeras.WeightsError, match=r"w\.json: names the file 'everything_00001.weights.h5', which is not"
    ):
        sharded(everything_00001_weights_h5=None)
    with pytest.raises(webkeras.WeightsError, match=r"variable \d of .* stands in two of its files"):
        sharded(everything_00002_weights_h5=one)
    with pytest.raises(webkeras.WeightsError, match=r"everything_00001\.weights\.h5: damaged HDF5"):
        sharded(everything_00001_weights_h5=one[:-9])
    with pytest.raises(webkeras.WeightsError, match="expected files by the path"):
        sharded(everything_weights_json=b'{"weight_map": 3}')
    with pytest.raises(webkeras.WeightsError, match="expected a plain name"):
        sharded(everything_weights_json=b'{"weight_map": {"a": "/etc/passwd"}}')
