"""The op table in a real browser: every row on every backend against numpy, in one Pyodide; on webgl2 as small models
are planned, and as large ones are, for fragments that write eight texels or seven, in squares of four or alone."""

import json
from pathlib import Path

import pytest

from tests.cases import TOLERANCE, Case, cases

TABLE = Path(__file__).parents[1] / "cases.py"
BACKENDS = ["webgl2", "webgl2 8 4", "webgl2 7 4", "webgl2 8 1", "wasm"]

pytestmark = pytest.mark.driver_timeout(300)

SETUP = """
import sys, types
tests = types.ModuleType("tests"); tests.__path__ = []
table = types.ModuleType("tests.cases"); sys.modules["tests"] = tests; sys.modules["tests.cases"] = table
exec(compile(source, "cases.py", "exec"), table.__dict__)
from dataclasses import replace
from webkeras.backends import choose
from webkeras.backends.webgl2 import context
from webkeras.graph import run

fitted = context.fitted

def measured(case, backend):
    backend, *numbers = backend.split()
    asked = dict(zip(("lanes", "neighbours"), map(int, numbers)))
    context.fitted = (lambda graph, limits, little: replace(limits, **asked)) if asked else fitted
    backend = choose(backend)
    graph = case.graph()
    want = run(graph, case.feed())
    executable = backend.prepare(graph)
    got = {}
    for _ in range(2):  # the second run finds textures as the first left them
        got = executable.run({k: a.ravel() for k, a in case.feed().items()})
    errors = [table.error(y.to_py() if hasattr(y, "to_py") else y, want[k]) for k, y in got.items()]
    executable.free()
    return max(errors)

def sentence(case, backend):
    try:
        return measured(case, backend)
    except Exception as e:
        return f"{type(e).__name__}: {e}"

rows = {case.name: case for case in table.cases()}
"""


@pytest.fixture(scope="module")
def measure(selenium_module_scope):
    """A function of (case, backend): the error in that browser, or the sentence of what went wrong."""
    selenium = selenium_module_scope
    selenium.load_package(["webkeras", "numpy"])
    selenium.run_js(f"pyodide.globals.set('source', {json.dumps(TABLE.read_text())})")
    selenium.run(SETUP)
    return lambda case, backend: selenium.run(f"sentence(rows[{case.name!r}], {backend!r})")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", cases(), ids=lambda c: c.name)
def test_backend_means_what_numpy_means(measure, case: Case, backend: str) -> None:
    found = measure(case, backend)
    assert isinstance(found, float | int), found
    assert found < TOLERANCE[backend.split()[0]]
