"""Every layer golden on webgl2 and wasm in Chromium, in one Pyodide: its models share programs and a machine.

The tests are in two files, test_layers_*.py, so that two processes share them; more would compile more programs twice.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable, Iterable
from typing import Any

from tests.goldens import FILES, GOLDEN, rows, tolerance
from tools.common import ROOT

BACKENDS = ["webgl2", "wasm"]
Measure = Callable[[list[str], str], list["float | str"]]

SETUP = """
import base64, io, sys, zipfile
zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))).extractall("/goldens")
sys.path.insert(0, "/goldens")
from tests import goldens
from webkeras.backends.webgl2 import context
context.LITTLE = 0  # goldens are small: as wide as large models are

def measured(row, backend):
    try:
        version, case = goldens.find(row)
        with goldens.load(version, case, backend) as model:
            return goldens.error(goldens.answers(model, case), case)
    except Exception as e:
        return f"{type(e).__name__}: {e}"
"""


def packed(folders: set[str]) -> str:
    """The goldens in these folders and what reads them, zipped, as base64."""
    data = io.BytesIO()
    files = [ROOT / "tests/goldens.py", GOLDEN / "golden_file.py", *(f for f in FILES if f.parent.name in folders)]
    with zipfile.ZipFile(data, "w") as archive:
        for path in files:
            archive.write(path, path.relative_to(ROOT))
    return base64.b64encode(data.getvalue()).decode()


def files_of(*folders: str) -> dict[str, list[str]]:
    """The cases of every file whose folder begins with one of these."""
    found: dict[str, list[str]] = {}
    for row in rows():
        if row.startswith(folders):
            found.setdefault(row.partition(" ")[0], []).append(row)
    return found


def measuring(selenium: Any, files: Iterable[str]) -> Measure:
    """A function of (rows, backend): how far off each one's answers are there, or the sentence of what went wrong."""
    selenium.load_package(["webkeras", "numpy"])
    selenium.run_js(f"pyodide.globals.set('packed', {packed({f.split('/')[0] for f in files})!r})")
    selenium.run(SETUP)
    return lambda rows, backend: selenium.run(f"[measured(row, {backend!r}) for row in {rows!r}]")


def check(measure: Measure, rows: list[str], backend: str) -> None:
    """Fails where rows are off by more than a backend may be, and names them."""
    found = measure(rows, backend)
    assert len(found) == len(rows)
    right = [isinstance(e, float | int) and e <= tolerance(row, backend) for row, e in zip(rows, found, strict=True)]
    wrong = {row: e for row, e, ok in zip(rows, found, right, strict=True) if not ok}
    assert not wrong, wrong
