"""What every tool shares: where things lie, how to speak, how to fail, how to tell that a step has nothing to do."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
WEB = DIST / "web"
PYODIDE = WEB / "pyodide"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "webkeras"


def say(text: str) -> None:
    print(text, flush=True)


def fail(sentence: str) -> NoReturn:
    sys.exit(f"error: {sentence}")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_under(*paths: Path) -> list[Path]:
    """Every file at or below the paths, sorted, without Python's caches."""
    found = [f for path in paths for f in ([path] if path.is_file() else path.rglob("*"))]
    return sorted(f for f in found if f.is_file() and "__pycache__" not in f.parts)


def step(name: str, made: Path, inputs: Iterable[Path], work: Callable[[], None]) -> None:
    """Do the work that makes `made`, unless it exists and its inputs (names and bytes) are those of the last time."""
    state = hashlib.sha256()
    for path in inputs:
        state.update(f"{path} {sha256(path)}\n".encode())
    stamp = DIST / ".stamps" / name.replace(" ", "-")
    if made.exists() and stamp.exists() and stamp.read_text() == state.hexdigest():
        return
    say(f"{name} ...")
    began = time.monotonic()
    stamp.unlink(missing_ok=True)
    work()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(state.hexdigest())
    say(f"{name}: {time.monotonic() - began:.1f} s")


def run(*command: str | Path, sentence: str, cwd: Path = ROOT, timeout: float | None = None) -> str:
    """Run a command and return what it printed; when it fails, show that and end with the sentence."""
    try:
        done = subprocess.run([*map(str, command)], cwd=cwd, text=True, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    except FileNotFoundError:
        fail(f"{sentence}: there is no command {command[0]!s}")
    except subprocess.TimeoutExpired:
        fail(f"{sentence}: {command[0]!s} did not end within {timeout:.0f} s")
    if done.returncode:
        sys.stderr.write(done.stdout)
        fail(f"{sentence}: {command[0]!s} ended with status {done.returncode}")
    return done.stdout


def copy_if_changed(source: Path, target: Path) -> None:
    """Copy a file, leaving an equal target (and its date, which HTTP caches look at) alone."""
    if not (target.exists() and target.stat().st_size == source.stat().st_size and sha256(target) == sha256(source)):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
