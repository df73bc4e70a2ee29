"""The encoder: bytes and keys exactly as promised, losses within their bounds, and nothing left of what failed."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest

import webkeras
from encoder import encoder
from webkeras.format import parse
from webkeras.spec import flat
from webkeras.weights import HostBuffer, read

LAYERS = {  # names that do not begin with the layer's, as real files have them; the order is not the alphabet's
    "conv": {"conv_7/kernel:0": (3, 3, 2, 5), "conv_7/bias:0": (5,)},
    "a.flatten": {},
    "b/dense": {"z/kernel:0": (20, 4), "a/bias:0": (4,), "scalar:0": ()},
}


def arrays() -> dict[tuple[str, str], Any]:
    rng = np.random.default_rng(5)
    return {
        (layer, name): rng.standard_normal(shape).astype("float32")
        for layer, weights in LAYERS.items()
        for name, shape in weights.items()
    }


def make(path: Path, *, root: str = "model_weights", config: str | None = None, dtype: str = "float32") -> Path:
    """A file as Keras 2 lays it out; root "/" is what save_weights writes."""
    values = arrays()
    with h5py.File(path, "w") as file:
        if config is not None:
            file.attrs["model_config"] = config.encode()
            file.attrs["keras_version"] = b"2.0.5"
            file.create_group("optimizer_weights").create_dataset("noise", data=np.ones(9))
        group = file.require_group(root)
        group.attrs["layer_names"] = [n.encode() for n in LAYERS]
        for layer, weights in LAYERS.items():
            g = group.create_group(layer)
            g.attrs["weight_names"] = [n.encode() for n in weights]
            for name in sorted(weights):
                g.create_dataset(name, data=values[layer, name].astype(dtype))
    return path


class Run(NamedTuple):
    """What a command line gave."""

    code: int
    stdout: str
    stderr: str


def encode(*args: Any, fails: bool = False) -> Run:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = encoder.main([str(a) for a in args])
    assert code == (1 if fails else 0), err.getvalue()
    return Run(code, out.getvalue(), err.getvalue())


def test_it_is_a_command(tmp_path: Path) -> None:
    """As a newcomer runs it: nothing installed, from any folder."""
    make(tmp_path / "m.h5")
    for path, code in (("m.h5", 0), ("no.h5", 1)):
        run = subprocess.run(
            [sys.executable, encoder.__file__, path], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert run.returncode == code
        assert run.stderr == ("encoder: no.h5: there is no such file\n" if code else "")
        assert bool(run.stdout) != bool(code)


def test_the_buffer_is_the_floats_one_after_another(tmp_path: Path) -> None:
    encode(make(tmp_path / "m.hdf5"))
    expected = b"".join(a.astype("<f4").tobytes() for a in arrays().values())
    assert (tmp_path / "m_weights.buf").read_bytes() == expected


def test_the_metadata_is_the_ancestors(tmp_path: Path) -> None:
    encode(make(tmp_path / "m.hdf5"))
    rows = json.loads((tmp_path / "m_metadata.json").read_text())
    assert [list(row) for row in rows] == [["layer_name", "weight_name", "offset", "length", "shape", "type"]] * 5
    assert rows[1] == {
        "layer_name": "conv",
        "weight_name": "conv_7/bias:0",
        "offset": 360,
        "length": 5,
        "shape": [5],
        "type": "float32",
    }
    assert [r["weight_name"] for r in rows] == [n for w in LAYERS.values() for n in w]
    last = rows[-1]
    assert last["offset"] + 4 * last["length"] == (tmp_path / "m_weights.buf").stat().st_size


@pytest.mark.parametrize("root", ["model_weights", "/"])
def test_what_is_written_reads_back_exactly(tmp_path: Path, root: str) -> None:
    encode(make(tmp_path / "m.h5", root=root), "-o", tmp_path / "out", "--name", "n")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["n_metadata.json", "n_weights.buf"]
    weights = read(
        (tmp_path / "out/n_metadata.json").read_text(), HostBuffer((tmp_path / "out/n_weights.buf").read_bytes())
    )
    found = {(t.layer, t.name): t.array() for tensors in weights.values() for t in tensors}
    assert list(found) == list(arrays())
    for k, a in arrays().items():
        assert np.array_equal(found[k], a)
        assert found[k].shape == a.shape


def test_the_architecture_comes_with_its_version(tmp_path: Path) -> None:
    encode(make(tmp_path / "m.h5", config='{"class_name": "Sequential", "config": []}'))
    assert json.loads((tmp_path / "m.json").read_text()) == {
        "class_name": "Sequential",
        "config": [],
        "keras_version": "2.0.5",
    }


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32"])
def test_other_dtypes_become_float32(tmp_path: Path, dtype: str) -> None:
    encode(make(tmp_path / "m.h5", dtype=dtype))
    expected = b"".join(a.astype(dtype).astype("<f4").tobytes() for a in arrays().values())
    assert (tmp_path / "m_weights.buf").read_bytes() == expected


@pytest.mark.parametrize("scheme", ["uint8", "uint16", "float16"])
def test_quantisation_stays_within_its_bound(tmp_path: Path, scheme: str) -> None:
    """Half a step, (max - min) / (2 * steps), and float32's own rounding; float16: 2^-11 of the value."""
    encode(make(tmp_path / "m.h5"), "--quantize", scheme)
    meta, buf = (tmp_path / "m_metadata.json").read_text(), (tmp_path / "m_weights.buf").read_bytes()
    kinds = [e.type for e in parse(meta).entries]
    assert kinds == [scheme, "float32", scheme, "float32", "float32"]  # under 32 elements nothing is gained
    for tensors in read(meta, HostBuffer(buf)).values():
        for t in tensors:
            a = arrays()[t.layer, t.name]
            if t.type == "float32":
                bound: Any = 0.0
            elif t.type == "float16":
                bound = np.maximum(np.abs(a) * 2.0**-11, 2.0**-25)
            else:
                bound = (a.max() - a.min()) / np.iinfo(t.type).max / 2 + np.abs(a).max() * 2.0**-22
            assert (np.abs(t.array() - a) <= bound).all()


def test_a_constant_weight_survives_quantisation(tmp_path: Path) -> None:
    with h5py.File(make(tmp_path / "m.h5"), "a") as file:
        file["model_weights/conv/conv_7/kernel:0"][...] = 0.3
    encode(tmp_path / "m.h5", "--quantize", "uint8")
    weights = read((tmp_path / "m_metadata.json").read_text(), HostBuffer((tmp_path / "m_weights.buf").read_bytes()))
    assert np.array_equal(weights["conv"][0].array(), np.full((3, 3, 2, 5), np.float32(0.3)))


def test_shards_joined_are_the_file(tmp_path: Path) -> None:
    big = np.random.default_rng(0).standard_normal((300, 1000)).astype("float32")  # 1.2 MB
    with h5py.File(make(tmp_path / "m.h5"), "a") as file:
        del file["model_weights/b/dense/z/kernel:0"]
        file["model_weights/b/dense/z/kernel:0"] = big
    encode(tmp_path / "m.h5", "--name", "whole")
    encode(tmp_path / "m.h5", "--shard-mib", 1)
    meta = parse((tmp_path / "m_metadata.json").read_text())
    assert [s.file for s in meta.shards] == ["m_weights.0.buf", "m_weights.1.buf"]
    assert meta.shards[0].bytes == 1 << 20
    joined = b"".join((tmp_path / s.file).read_bytes() for s in meta.shards)
    assert joined == (tmp_path / "whole_weights.buf").read_bytes()
    assert meta.entries == parse((tmp_path / "whole_metadata.json").read_text()).entries


def test_the_table_names_weights_and_digests(tmp_path: Path) -> None:
    out = encode(make(tmp_path / "m.h5")).stdout
    digest = hashlib.sha256(arrays()["conv", "conv_7/bias:0"].tobytes()).hexdigest()
    assert any(f"conv_7/bias:0 (5,) 20 float32 {digest[:12]}" in " ".join(row.split()) for row in out.splitlines())
    assert f"{tmp_path / 'm_weights.buf'}" in out


def broken(tmp_path: Path, name: str) -> Path:
    """A file that cannot be encoded."""
    path = tmp_path / "m.h5"
    if name == "missing":
        return path
    if name == "text":
        path.write_text("no HDF5 at all")
        return path
    make(path, config="{" if name == "half a config" else "[1]" if name == "a list as config" else None)
    with h5py.File(path, "a") as file:
        weights = file["model_weights"]
        if name == "no names":
            del weights.attrs["layer_names"]
        elif name == "a layer too few":
            del weights["conv"]
        elif name == "a weight too few":
            del weights["conv/conv_7/bias:0"]
        elif name == "a weight that is a group":
            del weights["conv/conv_7/bias:0"]
            weights.create_group("conv/conv_7/bias:0")
        elif name == "a weight of text":
            del weights["conv/conv_7/bias:0"]
            weights["conv/conv_7/bias:0"] = "text"
        elif name == "a weight twice":
            weights["conv"].attrs["weight_names"] = [b"conv_7/bias:0", b"conv_7/bias:0"]
        elif name == "beyond float16":
            weights["conv/conv_7/kernel:0"][0] = 1e6
        elif name == "not finite":
            weights["conv/conv_7/kernel:0"][0] = np.nan
    if name == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    return path


REFUSE = {
    "missing": "no such file",
    "text": "HDF5",
    "half a config": "m.h5: model_config: not JSON",
    "a list as config": "model_config",
    "no names": "layer_names",
    "a layer too few": "names 'conv'",
    "a weight too few": "'conv_7/bias:0'",
    "a weight that is a group": "'conv_7/bias:0'",
    "a weight of text": "'conv_7/bias:0'",
    "a weight twice": "'conv_7/bias:0'.*twice",
    "truncated": "truncated",
    "beyond float16": "'conv_7/kernel:0'.*float16",
    "not finite": "'conv_7/kernel:0'.*finite",
}


@pytest.mark.parametrize("name", REFUSE)
def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    path = broken(tmp_path, name)
    option = {"beyond float16": ["--quantize", "float16"], "not finite": ["--quantize", "uint8"]}.get(name, [])
    before = sorted(tmp_path.iterdir())
    run = encode(path, "-o", tmp_path / "new" / "folder", *option, fails=True)
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1, run.stderr
    assert run.stderr.startswith("encoder: ")
    assert run.stderr.count(path.name) == 1, run.stderr
    assert re.search(REFUSE[name], run.stderr), run.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_a_failure_leaves_an_earlier_encoding_alone(tmp_path: Path) -> None:
    encode(make(tmp_path / "m.h5"))
    before = {p: p.read_bytes() for p in tmp_path.iterdir() if p.suffix != ".h5"}
    broken(tmp_path, "a weight too few")
    encode(tmp_path / "m.h5", fails=True)
    assert {p: p.read_bytes() for p in tmp_path.iterdir() if p.suffix != ".h5"} == before


@pytest.mark.parametrize("args", [["--quantize", "int3"], ["--shard-mib", "0"], ["--shard-mib", "x"]])
def test_bad_options_are_refused(tmp_path: Path, args: list[str]) -> None:
    make(tmp_path / "m.h5")
    with pytest.raises(SystemExit, match="2") as e, redirect_stderr(io.StringIO()) as err:
        encoder.main([str(tmp_path / "m.h5"), *args])
    assert e.value.code == 2
    assert args[0] in err.getvalue()
    assert [p.name for p in tmp_path.iterdir()] == ["m.h5"]


FILES = Path(__file__).parents[1] / "golden" / "files"
WHOLE = [p for p in sorted(FILES.glob("keras*/*.*")) if re.fullmatch(r"\w+\.(h5|keras)", p.name)]
GENUINE = [str(p.relative_to(FILES)) for p in WHOLE if not p.name.endswith("_weights.h5")]


@pytest.mark.parametrize("path", GENUINE)
def test_a_genuine_file_encoded_answers_as_the_file_itself(tmp_path: Path, path: str) -> None:
    """Nested, shared and renamed weights find their layers again, to the bit."""
    encode(FILES / path, "-o", tmp_path, "--name", "m")
    whole = webkeras.load_model(FILES / path, backend="reference")
    parts = webkeras.load_model(
        tmp_path / "m.json",
        weights=tmp_path / "m_weights.buf",
        metadata=tmp_path / "m_metadata.json",
        backend="reference",
    )
    rng = np.random.default_rng(2)
    x = {i.name: rng.standard_normal((3, *(i.shape or ())[1:])).astype("float32") for i in whole.inputs}
    for a, b in zip(flat(whole.predict(x)), flat(parts.predict(x)), strict=True):
        assert np.array_equal(a, b)


def tensorflow_js(folder: Path, quantized: str | None = None) -> dict[tuple[str, str], Any]:
    """A TF.js layers model of two shards, as tensorflowjs_converter lays it out; returns its weights."""
    rng = np.random.default_rng(4)
    shapes = {"d.one/kernel": (4, 40), "d.one/bias": (40,), "d/kernel": (40, 2), "d/bias": (2,)}
    values = {n: rng.standard_normal(s).astype("float32") for n, s in shapes.items()}
    rows, raw = [], b""
    for name, a in values.items():
        row: dict[str, Any] = {"name": name, "shape": list(a.shape), "dtype": "float32"}
        if quantized == "float16":
            row["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
            raw += a.astype("<f2").tobytes()
        elif quantized:
            scale = float(np.ptp(a)) / np.iinfo(quantized).max
            row["quantization"] = {"dtype": quantized, "min": float(a.min()), "scale": scale}
            raw += np.rint((a - a.min()) / scale).astype(f"<{np.dtype(quantized).str[1:]}").tobytes()
        else:
            raw += a.tobytes()
        rows.append(row)
    (folder / "a.bin").write_bytes(raw[:100])
    (folder / "b.bin").write_bytes(raw[100:])
    layers = [
        {"class_name": "Dense", "config": {"name": "d.one", "units": 40, "batch_input_shape": [None, 4]}},
        {"class_name": "Dense", "config": {"name": "d", "units": 2}},
    ]
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    model = {
        "format": "layers-model",
        "modelTopology": {"keras_version": "2.10.0", "backend": "tensorflow", "model_config": config},
        "weightsManifest": [{"paths": ["a.bin", "b.bin"], "weights": rows}],
    }
    (folder / "model.json").write_text(json.dumps(model))
    return {(n.split("/")[0], n): a for n, a in values.items()}


@pytest.mark.parametrize("quantized", [None, "float16", "uint8", "uint16"])
def test_tensorflow_js_models_keep_their_types(tmp_path: Path, quantized: str | None) -> None:
    values = tensorflow_js(tmp_path, quantized)
    encode(tmp_path / "model.json", "--name", "m")
    buf = (tmp_path / "m_weights.buf").read_bytes()
    assert buf == (tmp_path / "a.bin").read_bytes() + (tmp_path / "b.bin").read_bytes()
    weights = read((tmp_path / "m_metadata.json").read_text(), HostBuffer(buf))
    for t in (t for here in weights.values() for t in here):
        assert t.type == (quantized or "float32")
        a = values[t.layer, t.name]
        bound = {None: 0, "float16": 2.0**-9, "uint8": np.ptp(a) / 255, "uint16": np.ptp(a) / 65535}[quantized]
        assert np.abs(t.array() - a).max() <= bound
    model = webkeras.load_model(
        tmp_path / "m.json", weights=buf, metadata=tmp_path / "m_metadata.json", backend="reference"
    )
    assert model.predict(np.ones((1, 4))).shape == (1, 2)
    assert model.spec.keras_version == "2.10.0"


def test_a_tensorflow_js_model_is_not_overwritten(tmp_path: Path) -> None:
    tensorflow_js(tmp_path)
    before = (tmp_path / "model.json").read_bytes()
    assert "would be overwritten" in encode(tmp_path / "model.json", fails=True).stderr
    assert (tmp_path / "model.json").read_bytes() == before


@pytest.mark.parametrize("change", ["short", "long", "missing", "dtype", "elsewhere", "text"])
def test_bad_tensorflow_js_models_are_refused(tmp_path: Path, change: str) -> None:
    tensorflow_js(tmp_path)
    text = (tmp_path / "model.json").read_text()
    if change == "short":
        (tmp_path / "b.bin").write_bytes((tmp_path / "b.bin").read_bytes()[:-4])
    elif change == "long":
        (tmp_path / "b.bin").write_bytes((tmp_path / "b.bin").read_bytes() + b"1234")
    elif change == "missing":
        (tmp_path / "b.bin").unlink()
    elif change == "dtype":
        text = text.replace('"dtype": "float32"', '"dtype": "complex64"')
    elif change == "elsewhere":
        text = text.replace("b.bin", "../../etc/passwd")
    else:
        text = "no JSON"
    (tmp_path / "model.json").write_text(text)
    assert encode(tmp_path / "model.json", "--name", "m", fails=True).stderr.count("\n") == 1
    assert not list(tmp_path.glob("m_*"))
