"""The command `webkeras`: what it prints, what it writes, how it refuses."""

import json
import re
import struct
import urllib.error
import urllib.request
from pathlib import Path

import h5py
import numpy as np
import pytest

from webkeras.cli import main
from webkeras.serve import serving

HIDDEN = {"name": "hidden", "units": 3, "activation": "relu", "batch_input_shape": [None, 2]}
ANSWER = {"name": "answer", "units": 1, "activation": "linear", "use_bias": False}
LAYERS = [{"class_name": "Dense", "config": config} for config in (HIDDEN, ANSWER)]
MODEL = {"class_name": "Sequential", "keras_version": "2.15.0", "config": {"name": "tiny", "layers": LAYERS}}
SHAPES = [("hidden", "kernel", [2, 3]), ("hidden", "bias", [3]), ("answer", "kernel", [3, 1])]
NUMBERS = [1, 0, -1, 0, 2, 1, 0.5, -1, 0, 1, 10, 100]  # x = (1, 2): hidden (1.5, 3, 1), answer 131.5


@pytest.fixture
def files(tmp_path):
    entries, offset = [], 0
    for layer, weight, shape in SHAPES:
        length = int(np.prod(shape))
        entries.append({"layer_name": layer, "weight_name": f"{layer}/{weight}:0", "offset": offset, "length": length,
                        "shape": shape, "type": "float32"})  # fmt: skip
        offset += 4 * length
    (tmp_path / "tiny.json").write_text(json.dumps(MODEL))
    (tmp_path / "tiny_metadata.json").write_text(json.dumps(entries))
    (tmp_path / "tiny_weights.buf").write_bytes(struct.pack(f"<{len(NUMBERS)}f", *NUMBERS))
    np.save(tmp_path / "x.npy", np.array([[1, 2]], "float32"))
    return tmp_path


def test_inspect_says_what_is_inside(files, capsys):
    assert main(["inspect", str(files / "tiny.json")]) == 0
    out = capsys.readouterr().out
    assert "'tiny', Keras 2.15.0" in out
    (hidden,) = [line.split() for line in out.splitlines() if line.split()[:2] == ["hidden", "Dense"]]
    assert hidden == ["hidden", "Dense", "(n,", "3)", "9", "hidden_input"]
    assert "12 weights of 48 bytes" in out
    assert "input 'hidden_input': (None, 2)" in out


def test_inspect_names_what_is_unsupported(files, capsys):
    odd = [{"class_name": kind, "config": {"name": kind.lower()}} for kind in ("Wobble", "Wabble")]
    config = {**MODEL["config"], "layers": [LAYERS[0], *odd, LAYERS[1]]}
    (files / "odd.json").write_text(json.dumps({**MODEL, "config": config}))
    assert main(["inspect", str(files / "odd.json")]) == 1
    out, error = capsys.readouterr()
    assert "2 of its layers are unknown: Wobble 'wobble', Wabble 'wabble'" in error
    assert error.count("\n") == 1
    assert "answer" in out  # the summary comes all the same


@pytest.mark.parametrize("given", ["{}", "hidden_input={}"])
def test_predict_prints_or_writes(files, capsys, given):
    command = ["predict", str(files / "tiny.json"), "--input", given.format(files / "x.npy"), "--backend", "reference"]
    assert main(command) == 0
    assert "131.5" in capsys.readouterr().out
    assert main([*command, "--output", str(files / "y.npy")]) == 0
    np.testing.assert_array_equal(np.load(files / "y.npy"), [[131.5]])


def test_predict_takes_inputs_in_order_and_gives_what_lies_in_dicts(files, capsys):
    golden = Path(__file__).parents[1] / "golden/files/keras2.15.0"
    with np.load(golden / "answers.npz") as answers:
        x = [answers[f"dicts/inputs/{name}"] for name in ("first", "second")]
        want = [answers[f"dicts/outputs/{i}"] for i in range(3)]
    for name, array in zip("ab", x, strict=True):
        np.save(files / f"{name}.npy", array)
    given = ["--input", str(files / "a.npy"), "--input", str(files / "b.npy")]
    assert main(["predict", str(golden / "dicts.h5"), *given]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines() if line[0] not in "[ "] == ["sub", "sub_1", "tf.math.subtract"]
    printed = [float(v) for v in re.findall(r"-?\d+\.\d*", re.sub(r"\(.*?\)", "", out))]
    np.testing.assert_allclose(printed, np.concatenate([w.ravel() for w in want]), atol=1e-5)


REFUSED = [
    ["inspect", "no.json"],
    ["inspect", "."],
    ["predict", "no.json", "--input", "x.npy"],
    ["serve", "no"],
]


@pytest.mark.parametrize("numbers", [None, b"", b"nope"])
def test_refuses_what_are_no_numbers(files, capsys, numbers):
    if numbers is not None:
        (files / "bad.npy").write_bytes(numbers)
    assert main(["predict", str(files / "tiny.json"), "--input", str(files / "bad.npy")]) == 1
    error = capsys.readouterr().err
    assert "bad.npy: " + ("cannot be read" if numbers is None else "no numbers") in error
    assert error.count("\n") == 1


def test_refuses_a_port_that_is_none(tmp_path, capsys):
    for port in ("70000", "-1", "x"):
        with pytest.raises(SystemExit):
            main(["serve", str(tmp_path), f"--port={port}"])
        assert "expected 0 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize("command", REFUSED)
def test_refuses_in_one_sentence(command, capsys):
    assert main(command) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"webkeras {command[0]}: ")
    assert command[1] in error
    assert error.count("\n") == 1


def test_encode_is_the_encoder(tmp_path, capsys):
    with h5py.File(tmp_path / "m.h5", "w") as f:
        f.attrs["layer_names"] = [b"d"]
        f.create_group("d").attrs["weight_names"] = [b"d/kernel:0"]
        f["d/d/kernel:0"] = np.arange(6, dtype="float32").reshape(2, 3)
    assert main(["encode", str(tmp_path / "m.h5")]) == 0
    assert (tmp_path / "m_weights.buf").read_bytes() == struct.pack("<6f", 0, 1, 2, 3, 4, 5)
    assert main(["encode", str(tmp_path / "none.h5")]) == 1
    assert "none.h5" in capsys.readouterr().err


PARTS = [
    ("bytes=2-4", 206, b"234"),
    ("bytes=7-", 206, b"789"),
    ("bytes=-2", 206, b"89"),
    ("bytes=8-99", 206, b"89"),
    ("bytes=20-", 416, b""),
    ("lines=1-", 200, b"0123456789"),
]


@pytest.mark.parametrize(("asked", "status", "data"), PARTS)
def test_serve_answers_ranges(tmp_path, asked, status, data):
    (tmp_path / "f.buf").write_bytes(b"0123456789")
    with serving(tmp_path) as address:
        request = urllib.request.Request(f"{address}/f.buf", headers={"Range": asked})
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as e:
            answer = e
        with answer:
            assert (answer.status, answer.read()) == (status, data)
            assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
