"""The peers' own files of a model, made where a genuine TensorFlow 2.15 can be had: an environment of its own."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from tools.common import CACHE, say, step

HERE = Path(__file__).resolve().parent
REQUIREMENTS = ["tensorflow-cpu==2.15.1", "numpy<1.27", "h5py", "tf2onnx==1.16.1", "onnx==1.16.2"]
PYTHONS = ["python3.11", "python3.10"]  # those that TensorFlow 2.15 knows


def python() -> tuple[Path | None, str]:
    """The environment's python, made now where there is none; or None and why it cannot be."""
    folder = CACHE / f"tensorflow-{hashlib.sha256(' '.join(REQUIREMENTS).encode()).hexdigest()[:12]}"
    found = folder / "bin/python"
    if (folder / "ready").exists():
        return found, ""
    base = next((p for p in PYTHONS if shutil.which(p) and _told(p, "-c", "import ensurepip, venv") is None), None)
    if base is None:
        return None, f"there is neither {' nor '.join(PYTHONS)} for TensorFlow 2.15, whose converters make the file"
    say(f"an environment with {REQUIREMENTS[0]} (minutes, once) ...")
    shutil.rmtree(folder, ignore_errors=True)
    for command in ([base, "-m", "venv", str(folder)], [str(found), "-m", "pip", "install", "-q", *REQUIREMENTS]):
        wrong = _told(*command)
        if wrong is not None:
            shutil.rmtree(folder, ignore_errors=True)
            return None, f"TensorFlow 2.15, whose converters make the file, cannot be installed ({wrong})"
    (folder / "ready").touch()
    return found, ""


def _told(*command: str) -> str | None:
    """None where the command went well, else the last line it said."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return None if done.returncode == 0 else (done.stdout.strip().splitlines() or ["no word"])[-1]


def convert(name: str, folder: Path) -> None:
    """NAME.tflite, NAME.onnx and, where Keras' answer is not there yet, y.f32; converted.json says what failed."""
    told = folder / "converted.json"
    sources = [HERE / "in_tensorflow.py", folder / f"{name}.json", folder / f"{name}_weights.buf"]
    tensorflow, why = python()
    if tensorflow is None:
        told.write_text(json.dumps(dict.fromkeys(("tflite", "onnx"), why)))
        return

    def work() -> None:
        told.unlink(missing_ok=True)
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run([str(tensorflow), str(HERE / "in_tensorflow.py"), name, str(folder)], env=quiet,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
        if not told.exists():
            why = (done.stdout.strip().splitlines() or ["no word"])[-1]
            told.write_text(json.dumps(dict.fromkeys(("tflite", "onnx"), f"TensorFlow says: {why}")))
        say(f"  {told.read_text()}")

    step(f"converting {name}", told, sources, work)
