"""The door to the browser, whose globals are made up: how many threads are asked for, what is said when it refuses."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from webkeras import ops
from webkeras.backends.wasm import module
from webkeras.backends.wasm.plan import layout, plan
from webkeras.errors import BackendError, NoBackend
from webkeras.graph import Graph, Value


@pytest.mark.parametrize(
    ("isolated", "cores", "told", "threads"),
    [(True, 2, None, 2), (True, 16, None, 4), (True, 16, 3, 3), (True, 2, 8, 2), (True, 2, 1, 1), (False, 8, 4, 1)],
)
def test_threads(isolated, cores, told, threads):
    page = SimpleNamespace(crossOriginIsolated=isolated, navigator=SimpleNamespace(hardwareConcurrency=cores))
    if told:
        page.webkerasThreads = told
    assert module._threads(page) == threads


@pytest.fixture
def browser(monkeypatch):
    """A browser whose machine.js refuses everything."""

    def refuse(*_):
        raise RuntimeError("RangeError: WebAssembly.Memory(): could not allocate memory\n    at machine.js:57")

    machine = SimpleNamespace(open=refuse, create=refuse, url="/machine.js")
    ffi = ModuleType("pyodide.ffi")
    ffi.to_js = lambda x: x
    monkeypatch.setitem(
        sys.modules, "js", SimpleNamespace(JSON=SimpleNamespace(parse=json.loads), webkerasWasm=machine)
    )
    monkeypatch.setitem(sys.modules, "pyodide", ModuleType("pyodide"))
    monkeypatch.setitem(sys.modules, "pyodide.ffi", ffi)
    monkeypatch.setattr(module, "_files", {"kernels.wasm": b"", "kernels_relaxed.wasm": b"", "machine.js": b""})
    return monkeypatch


def test_a_module_that_does_not_compile_is_one_sentence(browser):
    browser.setattr(module, "_opened", None)
    with pytest.raises(NoBackend, match=r"^WebAssembly.Memory\(\): could not allocate memory$"):
        module.Wasm()
    assert module.why_not() == "WebAssembly.Memory(): could not allocate memory"


def test_memory_that_is_not_to_be_had_is_one_sentence(browser):
    browser.setattr(module, "_opened", SimpleNamespace(threads=1))
    x = Value((512, 1024), name="x")
    said = r"the model needs 4 MiB of memory, and the browser says: WebAssembly.Memory\(\): could not allocate memory"
    with pytest.raises(BackendError, match=f"^wasm: {said}$"):
        module.Wasm().prepare(Graph({"x": x}, {"y": ops.tanh(x)}))


@pytest.mark.parametrize(("n", "threads", "short"), [(4, 1, True), (256, 4, True), (1024, 4, False)])
def test_as_many_threads_as_the_work_is_worth(n, threads, short):
    """A product of 64 multiplications is not worth any, one of 16 million may be, one of a billion is."""
    x = Value((n, n), name="x")
    made = json.loads(module.program(plan(Graph({"x": x}, {"y": ops.matmul(x, x)})))[0])
    assert (made["threads"], made["short"]) == (threads, short)


def test_what_is_too_short_to_share_one_thread_does():
    x, y = Value((300, 300), name="x"), Value((3, 3), name="y")
    both = layout(Graph({"x": x, "y": y}, {"a": ops.tanh(x), "b": ops.tanh(y)})).always
    assert [i.shared() for i in both] == [True, False]
    t = Value((1, 100, 64), name="t")
    scan = layout(Graph({"t": t}, {"y": ops.scan(lambda s, v: (s, [ops.tanh(v[0])]), [], [t])[1][0]})).always
    assert [i.shared() for i in scan if i.op == "SCAN"] == [False]
