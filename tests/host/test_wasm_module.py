"""How many threads the wasm backend asks for; a browser's global object is made up."""

from types import SimpleNamespace

import pytest

from webkeras.backends.wasm import module


@pytest.mark.parametrize(
    ("isolated", "cores", "told", "threads"),
    [(True, 2, None, 2), (True, 16, None, 4), (True, 16, 3, 3), (True, 2, 8, 2), (True, 2, 1, 1), (False, 8, 4, 1)],
)
def test_threads(isolated, cores, told, threads):
    page = SimpleNamespace(crossOriginIsolated=isolated, navigator=SimpleNamespace(hardwareConcurrency=cores))
    if told:
        page.webkerasThreads = told
    assert module._threads(page) == threads
