"""Files that nobody vouches for: whatever is changed in one, it opens or is refused in a sentence, and soon."""

from __future__ import annotations

import io
import json
import random
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import webkeras
from webkeras import files
from webkeras.backends import choose
from webkeras.buffer import HostBuffer
from webkeras.model import Model
from webkeras.trace import one_sample

GOLDEN = Path(__file__).parents[1] / "golden" / "files"
K3 = GOLDEN / "keras3.15.1"
SEED, TIMES = 3, 25  # `SEED, TIMES = n, 500` looks harder

KINDS = {  # the file that is changed: what else belongs to the model
    "keras3.15.1/nested.keras": {},
    "keras3.0.5/changed.keras": {},
    "keras2.15.0/nested.h5": {},
    "keras2.1.2/shared.h5": {},
    "keras1.2.2/tf.h5": {},
    "keras3.15.1/shared.h5": {},
    "keras3.15.1/everything.json": {"weights": K3 / "everything.weights.h5"},
    "keras2.15.0/shared.json": {"weights": GOLDEN / "keras2.15.0/shared.weights.h5"},
    "tfjs4.22.0/nested.json": {},
    "keras3.15.1/everything.weights.json": {"model": K3 / "everything.json"},
    "keras3.15.1/everything.weights.h5": {"model": K3 / "everything.json"},
}
ODD: list[Any] = [
    None,
    -1,
    0,
    1e308,
    10**9,
    2**40,
    10**30,
    "",
    [],
    {},
    "x" * 50,
    True,
    [[[]]],
    [10**6, 10**6],
    [None, 1],
]
SIZES = [0, 1, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]


def bent(r: random.Random, raw: bytes) -> bytes:
    """Bytes cut, flipped, overwritten, moved, left out."""
    b = bytearray(raw)
    if r.random() < 0.15:
        return bytes(b[: r.randrange(len(b))])
    for _ in range(r.choice([1, 1, 2, 8])):
        at, how = r.randrange(len(b)), r.random()
        if how < 0.3:
            b[at] ^= 1 << r.randrange(8)
        elif how < 0.6:
            b[at] = r.choice([0, 1, 0x7F, 0x80, 0xFF, 0x22])
        elif how < 0.8:
            b[at : at + 8] = r.choice(SIZES).to_bytes(8, "little")[: len(b) - at]
        elif how < 0.9:
            other = r.randrange(len(b))
            b[at : at + 20] = b[other : other + 20]
        else:
            del b[at : at + r.randrange(1, 9)]
    return bytes(b)


def places(x: Any, path: tuple[Any, ...] = ()) -> Any:
    """The path of every value inside nested lists and dicts."""
    for k, v in x.items() if isinstance(x, dict) else enumerate(x) if isinstance(x, list) else ():
        yield (*path, k)
        yield from places(v, (*path, k))


def odd(r: random.Random, text: bytes) -> bytes:
    """JSON with a value left out or replaced."""
    data = json.loads(text)
    path = r.choice(list(places(data)))
    holder = data
    for k in path[:-1]:
        holder = holder[k]
    new = r.choice([*ODD, [holder[path[-1]]], {"a": holder[path[-1]]}])
    if r.random() < 0.2:
        del holder[path[-1]]
    else:
        holder[path[-1]] = new
    return json.dumps(data).encode()


def changed(r: random.Random, name: str, raw: bytes) -> bytes:
    if name.endswith(".json"):
        return odd(r, raw) if r.random() < 0.7 else bent(r, raw)
    if name.endswith(".h5") or r.random() < 0.4:
        return bent(r, raw)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as good, zipfile.ZipFile(out, "w", r.choice([0, 8])) as bad:
        victim = r.choice(good.namelist())
        for member in good.namelist():
            content = good.read(member)
            if member == victim:
                content = odd(r, content) if member == "config.json" else bent(r, content)
            bad.writestr(member, content)
    return out.getvalue()


def opened(name: str, raw: bytes, rest: dict[str, Path]) -> None:
    """All that loading does, up to the first prediction."""
    given = {k: files.File(HostBuffer(p.read_bytes()), p.name) for k, p in rest.items()}
    given["weights" if "model" in rest else "model"] = files.File(HostBuffer(raw), "m")
    folder = (GOLDEN / name).parent
    others = {p.name: HostBuffer(p.read_bytes()) for p in folder.iterdir() if p.suffix == ".bin" or "_0000" in p.name}
    spec, found = files.open_model(given["model"], given.get("weights"), others=others)
    model = Model(spec, found, choose("reference"))
    shapes = one_sample(model.spec)
    if shapes:
        model.prepare(shapes)


def bounded(name: str, raw: bytes, rest: dict[str, Path]) -> bool:
    """Open it within a second of work and 100 MB; whether it opened."""
    tracemalloc.start()
    began, message = time.process_time(), ""
    try:
        opened(name, raw, rest)
    except webkeras.WebKerasError as e:
        message = str(e)
    took, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "\n" not in message
    assert len(message) < 1500, message
    assert took < 1
    assert peak < 100e6
    return not message


@pytest.mark.parametrize("name", KINDS)
def test_a_changed_file_opens_or_is_refused(name: str) -> None:
    raw, refused = (GOLDEN / name).read_bytes(), 0
    assert bounded(name, raw, KINDS[name])
    for i in range(TIMES):
        refused += not bounded(name, changed(random.Random(f"{SEED} {name} {i}"), name, raw), KINDS[name])
    assert refused >= TIMES // 4  # the changes do reach what is read


def _circle(h: h5py.Group) -> None:
    h["layers/dense/again"] = h["layers"]


def _wide(h: h5py.Group) -> None:
    del h["layers/dense/vars/0"]
    h.create_dataset("layers/dense/vars/0", (1 << 20, 1 << 20), "f4", chunks=(1 << 10, 1 << 10), compression="gzip")


def _claims(h: h5py.Group) -> None:
    del h["layers/dense/vars/0"]
    h.create_dataset("layers/dense/vars/0", (1 << 20, 1 << 19), "f4")  # never written


@pytest.mark.parametrize(
    ("change", "says"), [(_circle, "there twice"), (_wide, "chunks in a file of"), (_claims, "has no data")]
)
def test_weights_that_cannot_be(change: Any, says: str) -> None:
    data = io.BytesIO((K3 / "nested.weights.h5").read_bytes())
    with h5py.File(data, "a") as h:
        change(h)
    model = files.File(HostBuffer((K3 / "nested.json").read_bytes()), "m")
    tracemalloc.start()
    with pytest.raises(webkeras.WeightsError, match=says):
        files.open_model(model, files.File(HostBuffer(data.getvalue()), "w"))
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


ONE_HOT = {
    "class_name": "Sequential",
    "module": "keras",
    "config": {
        "name": "s",
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 1]}},
            {"class_name": "CategoryEncoding", "config": {"name": "c", "num_tokens": 3, "output_mode": "one_hot"}},
        ],
    },
}


def test_a_file_that_names_no_version_takes_the_callers() -> None:
    """JSON of Keras 3 never does; one-hot became a rank lower in 3.4, as genuine files of 3.3.3 and 3.6.0 show."""
    text, x = json.dumps(ONE_HOT).encode(), np.array([[2.0], [0.0]])
    newest = webkeras.load_model(text, backend="reference")
    assert newest.predict(x).tolist() == [[0, 0, 1], [1, 0, 0]]
    older = webkeras.load_model(text, backend="reference", keras_version="3.3.3")
    assert older.predict(x).tolist() == [[[0, 0, 1]], [[1, 0, 0]]]
    named = json.dumps({**ONE_HOT, "keras_version": "3.14.1"}).encode()
    assert webkeras.load_model(named, backend="reference", keras_version="3.3.3").predict(x).shape == (2, 3)
    with pytest.raises(webkeras.ConfigError, match=r"keras_version '4\.0'; expected 1, 2 or 3"):
        webkeras.load_model(text, backend="reference", keras_version="4.0")
    bare = json.dumps({"class_name": "Model", "config": {"layers": [{}]}}).encode()
    with pytest.raises(webkeras.ConfigError, match="names no keras_version: say which Keras it is"):
        webkeras.load_model(bare, backend="reference")
