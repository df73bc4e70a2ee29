"""Whole files of genuine Keras, opened directly: every form of the same model gives Keras' answer."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import webkeras
from webkeras import files
from webkeras.buffer import HostBuffer
from webkeras.matching import match, walk
from webkeras.spec import flat
from webkeras.trace import may_have_weights

GOLDEN = Path(__file__).parents[1] / "golden" / "files"
ANSWERS = {p.parent.name: dict(np.load(p)) for p in sorted(GOLDEN.glob("*/answers.npz"))}
WHOLE = [
    f"{version}/{p.name}"
    for version in ANSWERS
    for p in sorted((GOLDEN / version).iterdir())
    if p.suffix in (".keras", ".h5") and "weights" not in p.name
]
SEPARATE = [
    f"{version}/{p.name}"
    for version in ANSWERS
    for p in sorted((GOLDEN / version).glob("*weights.*"))
    if not re.search(r"_\d+\.", p.name)  # shards, which everything.weights.json names
]


def check(model: webkeras.Model, version: str, name: str) -> None:
    """The model answers as Keras did."""
    answers = ANSWERS[version]
    x = {k.split("/")[2]: a for k, a in answers.items() if k.startswith(f"{name}/inputs/")}
    wanted = [a for k, a in answers.items() if k.startswith(f"{name}/outputs/")]
    assert x
    arrays = list(x.values())
    y: Any = model.predict(x if name == "dicts" else arrays if len(x) > 1 else arrays[0])
    found = flat(y)
    assert len(found) == len(wanted) > 0
    tolerance = {"half": 3e-3, "brain": 3e-2}.get(name, 1e-5)  # those compute in two bytes
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("path", WHOLE)
def test_a_whole_file_answers_as_keras_did(path: str) -> None:
    version, file = path.split("/")
    model = webkeras.load_model(GOLDEN / path, backend="reference", theano_kernels="theano" in version)
    check(model, version, file.split(".")[0])


@pytest.mark.parametrize("path", SEPARATE)
def test_json_and_weights_answer_as_keras_did(path: str) -> None:
    version, file = path.split("/")
    name = file.replace("_weights", "").split(".")[0]
    source = GOLDEN / version / f"{name}.json"
    theano = "theano" in version  # nothing in such a file tells
    check(webkeras.load_model(source, weights=GOLDEN / path, backend="reference", theano_kernels=theano), version, name)


def test_there_are_files_of_each_keras() -> None:
    made = "1.0.7-theano 1.1.0-theano 1.2.2 1.2.2-theano 2.1.2 2.15.0 3.0.5 3.3.3 3.6.0 3.9.2 3.12.0 3.14.1 3.15.1"
    assert set(ANSWERS) >= {f"keras{v}" for v in made.split()}
    assert len(WHOLE) >= 50


def tensors(path: Path) -> list[Any]:
    spec, found = files.open_model(files.File(HostBuffer(path.read_bytes()), path.name))
    return [t for _, _, here in walk(spec, match(spec, found, may_have_weights)) for t in here]


@pytest.mark.parametrize("path", [p for p in WHOLE if not re.search("brain|changed|int.\\.", p)])  # but not float32
def test_weights_stay_where_they_are(path: str) -> None:
    """Byte ranges of the one buffer: they never enter Python's memory on the page."""
    raw = hdf5_of(path)
    found = tensors(GOLDEN / path)
    assert len({id(t.buffer) for t in found}) == 1
    assert found[0].buffer.nbytes == len(raw)
    for t in found:
        assert t.type in ("float32", "float16")
        assert raw[t.offset : t.offset + t.nbytes] == t.buffer.read(t.offset, t.nbytes)


def hdf5_of(path: str) -> bytes:
    """A golden's HDF5: the file itself, or the member of its zip."""
    raw = (GOLDEN / path).read_bytes()
    return zipfile.ZipFile(io.BytesIO(raw)).read("model.weights.h5") if path.endswith(".keras") else raw


def sizes(group: h5py.Group) -> Iterator[int]:
    """The number of elements of every dataset."""
    for member in group.values():
        if isinstance(member, h5py.Dataset):
            yield member.size
        else:
            yield from sizes(member)


def test_every_weight_of_a_file_is_used() -> None:
    for path in WHOLE:
        with h5py.File(io.BytesIO(hdf5_of(path))) as file:
            stored = sum(sizes(file))
        used = {(id(t.buffer), t.offset, t.name): int(np.prod(t.shape)) for t in tensors(GOLDEN / path)}
        assert sum(used.values()) == stored, path


def test_numpy_is_not_needed_to_open_a_file() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from webkeras import files; from webkeras.buffer import HostBuffer\n"
        "from webkeras.trace import Network, one_sample\n"
        "for path in sys.argv[2:]:\n"
        "    spec, found = files.open_model(files.File(HostBuffer(open(path, 'rb').read()), path))\n"
        "    Network(spec, found).trace(one_sample(spec))\n"
        "assert 'numpy' not in sys.modules and 'h5py' not in sys.modules\n"
    )
    paths = [str(GOLDEN / p) for p in WHOLE if "nested" in p]
    src = str(Path(webkeras.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code, src, *paths], check=True)


def keras_file(**changes: bytes | None) -> bytes:
    """A good .keras file with members changed, or left out."""
    path = GOLDEN / "keras3.15.1/nested.keras"
    out = io.BytesIO()
    with zipfile.ZipFile(path) as good, zipfile.ZipFile(out, "w") as bad:
        for name in good.namelist():
            content = changes.get(name.replace(".", "_"), good.read(name))
            if content is not None:
                bad.writestr(name, content)
        if npz := changes.get("model_weights_npz"):
            bad.writestr("model.weights.npz", npz)
    return out.getvalue()


def h5_file(change: Any) -> bytes:
    """A good .h5 file, changed."""
    data = io.BytesIO(next(GOLDEN.glob("keras2.15*/nested.h5")).read_bytes())
    with h5py.File(data, "a") as file:
        change(file)
    return data.getvalue()


def _lost_layer(f: h5py.File) -> None:
    del f["model_weights/inner"]


def _lost_weight(f: h5py.File) -> None:
    del f["model_weights/inner"][f["model_weights/inner"].attrs["weight_names"][0]]


def _other_layer(f: h5py.File) -> None:
    g = f["model_weights"]
    g.attrs["layer_names"] = [*g.attrs["layer_names"], "stranger"]
    g.create_group("stranger").attrs["weight_names"] = ["w"]
    g["stranger/w"] = np.zeros(3, "f4")


def _wrong_shape(f: h5py.File) -> None:
    g = f["model_weights/inner"]
    name = g.attrs["weight_names"][0]
    del g[name]
    g[name] = np.zeros((4, 5), "f4")


def _text(f: h5py.File) -> None:
    g = f["model_weights/inner"]
    name = g.attrs["weight_names"][0]
    del g[name]
    g[name] = np.array([b"ab"])


def _no_config(f: h5py.File) -> None:
    del f.attrs["model_config"]


def _bad_config(f: h5py.File) -> None:
    f.attrs["model_config"] = "{"


REFUSE: dict[str, tuple[Any, str]] = {
    "nothing": (lambda: b"", "an empty file; fetch it again"),
    "a web page": (lambda: b"\n <!DOCTYPE html><title>404</title>", "a web page, not a model; does the server have"),
    "a note of Git LFS": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "a TensorFlow Lite model": (lambda: b"\x1c\0\0\0TFL3" + bytes(99), "TensorFlow Lite; webkeras reads"),
    "brackets": (lambda: b"[" * 200_000, "nests too deep"),
    "brackets in a manifest": (lambda: b'{"weightsManifest":' + b"[" * 200_000, "nests too deep"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "neither .keras, HDF5 nor JSON"),
    "half a zip": (lambda: keras_file()[:3000], "damaged .keras file"),
    "another zip": (lambda: keras_file(config_json=None), "a zip without config.json"),
    "weights in pickles": (
        lambda: keras_file(model_weights_h5=None, model_weights_npz=b"PK"),
        "pickles .*can run code",
    ),
    "a zip without weights": (lambda: keras_file(model_weights_h5=None), "no model.weights.h5"),
    "weights that are none": (lambda: keras_file(model_weights_h5=b"x" * 99), "not HDF5"),
    "half the weights": (lambda: keras_file(model_weights_h5=_weights()[:4000]), "damaged HDF5.*truncated"),
    "config that is a list": (lambda: keras_file(config_json=b"[]"), "has no 'class_name'"),
    "config in no encoding": (lambda: keras_file(config_json=b"\xff\xfe{"), "m.keras"),
    "a Keras to come": (lambda: keras_file(metadata_json=b'{"keras_version": "9.1"}'), "'9.1'; expected 1, 2 or 3"),
    "a version that is a list": (lambda: keras_file(metadata_json=b'{"keras_version": [3]}'), r"\[3\]"),
    "a lost layer": (lambda: h5_file(_lost_layer), "names 'inner', but the file does not hold it"),
    "a lost weight": (lambda: h5_file(_lost_weight), "layer 'inner' names the weight"),
    "a layer of another model": (lambda: h5_file(_other_layer), "'w' belongs to 'stranger'"),
    "a wrong shape": (lambda: h5_file(_wrong_shape), r"Dense '.*': kernel is \(4, 5\) in the file"),
    "text as a weight": (lambda: h5_file(_text), "is of type S2"),
    "weights only": (lambda: h5_file(_no_config), "holds weights only"),
    "half a config": (lambda: h5_file(_bad_config), "not JSON"),
    "a truncated .h5": (lambda: h5_file(lambda f: None)[:-5], "truncated"),
}


def _weights() -> bytes:
    return zipfile.ZipFile(GOLDEN / "keras3.15.1/nested.keras").read("model.weights.h5")


@pytest.mark.parametrize("name", REFUSE)
def test_a_file_that_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    make, says = REFUSE[name]
    (tmp_path / "m.keras").write_bytes(make())
    with pytest.raises(webkeras.WebKerasError, match=says) as e:
        webkeras.load_model(tmp_path / "m.keras", backend="reference").predict(np.ones((1, 4)))
    assert "\n" not in str(e.value)
    if name not in ("a wrong shape", "a layer of another model"):
        assert str(e.value).startswith("m.keras")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(webkeras.ConfigError, match=r"no\.keras: cannot be read"):
        webkeras.load_model(tmp_path / "no.keras")
    (tmp_path / "m.json").write_text("{}")
    with pytest.raises(webkeras.WeightsError, match=r"no\.buf: cannot be read"):
        webkeras.load_model(tmp_path / "m.json", weights=tmp_path / "no.buf", metadata=tmp_path / "m.json")


def test_a_deflated_keras_file_is_read() -> None:
    version = "keras3.15.1"
    out = io.BytesIO()
    with (
        zipfile.ZipFile(GOLDEN / version / "nested.keras") as good,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z,
    ):
        for name in good.namelist():
            z.writestr(name, good.read(name))
    check(webkeras.load_model(out.getvalue(), backend="reference"), version, "nested")


def test_a_zip_bomb_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("metadata.json", '{"keras_version": "3.1"}')
        z.writestr("config.json", b" " * (257 << 20))
    with pytest.raises(webkeras.ConfigError, match=r"config\.json claims 269484032 bytes"):
        webkeras.load_model(out.getvalue(), backend="reference")


def test_structures_of_inputs_and_outputs_are_the_files() -> None:
    version = "keras3.15.1"
    model = webkeras.load_model(GOLDEN / version / "dicts.keras", backend="reference")
    ones = np.ones((2, 4), "float32")
    by_key, by_layer = model.predict({"first": ones, "second": ones}), model.predict({"a": ones, "b": ones})
    assert set(by_key) == {"a", "z"}
    assert isinstance(by_key["a"], list)
    assert np.array_equal(by_key["z"], by_layer["z"])


def test_json_of_keras_3_names_no_version() -> None:
    version = "keras3.15.1"
    assert "keras_version" not in json.loads((GOLDEN / version / "nested.json").read_text())
