"""The only module that touches WebAssembly: it hands plans to machine.js and brings errors back as ours."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from importlib import resources
from inspect import isawaitable
from typing import Any

from webkeras.backends import crossing
from webkeras.backends.wasm.plan import Load, Plan, plan
from webkeras.errors import BackendError, NoBackend
from webkeras.format import BYTES
from webkeras.graph import Graph, Literal

MOST_THREADS = 4
WORTH_A_TEAM, SHORT = 100e3, 2e6  # nanoseconds shared: below, waking workers takes longer; below, it is measured

_files: dict[str, bytes] = {}
_opened: Any = None


def preload() -> None:
    """Read now what will be needed, for a memory snapshot that has no files."""
    for name in ("kernels.wasm", "kernels_relaxed.wasm", "machine.js"):
        file = resources.files(__package__) / name
        if name not in _files and file.is_file():
            _files[name] = file.read_bytes()


def why_not() -> str:
    """Why WebAssembly cannot be used here, or ""."""
    try:
        kernels()
    except NoBackend as e:
        return str(e)
    return ""


def kernels() -> Any:
    """The compiled module of this page or worker, made when first asked for.

    Raises NoBackend where there is no browser, no SIMD, or the wheel was built without the modules.
    """
    global _opened
    if _opened is not None:
        return _opened
    try:
        import js
        from pyodide.ffi import to_js
    except ImportError:
        raise NoBackend("there is no browser here") from None
    preload()
    if len(_files) < 3:
        raise NoBackend(
            "this copy of webkeras was made without its WebAssembly modules; run python -m tools.build_wasm"
        )
    if not hasattr(js, "webkerasWasm"):
        crossing.script("machine.js", _files["machine.js"].decode())
    try:
        _opened = js.webkerasWasm.open(
            to_js(_files["kernels_relaxed.wasm"]), to_js(_files["kernels.wasm"]), _threads(js)
        )
    except Exception as e:
        raise NoBackend(crossing.words(e)) from None
    return _opened


def _threads(js: Any) -> int:
    """As many as there are cores, but not more than the memory can feed; one where the page is not isolated.

    What globalThis.webkerasThreads says, in the page or in its worker, before the first model is a limit.
    """
    if not getattr(js, "crossOriginIsolated", False):
        return 1
    cores = int(getattr(js.navigator, "hardwareConcurrency", 1))
    return max(1, min(MOST_THREADS, cores, int(getattr(js, "webkerasThreads", MOST_THREADS))))


def program(planned: Plan) -> tuple[str, list[Any]]:
    """(the plan as machine.js takes it, JSON; the buffers that its loads speak of). Needs no browser."""
    buffers: list[Any] = []
    once: list[list[Any]] = []
    for s in planned.once:
        if not isinstance(s, Load):
            once.append(["run", s.words.tolist()])
            continue
        c: Any = s.constant
        if isinstance(c, Literal):
            once.append(["words", s.address, list(struct.unpack(f"<{len(c.floats)}i", c.data()))])
            continue
        if c.buffer not in buffers:
            buffers.append(c.buffer)
        count, low, scale = c.nbytes // BYTES[c.type], c.min, c.scale
        kind = "bytes" if s.raw else c.type
        once.append(["load", s.address, buffers.index(c.buffer), c.offset, count, kind, low, scale])
    whole = {
        "floats": planned.floats,
        "scratch": planned.scratch,
        "instructions": planned.instructions,
        "threads": MOST_THREADS if planned.shared >= WORTH_A_TEAM else 1,
        "short": planned.shared < SHORT,
        "once": once,
        "program": planned.program.tolist(),
        "inputs": {k: [r.address, r.size] for k, r in planned.inputs.items()},
        "outputs": {k: [r.address, r.size] for k, r in planned.outputs.items()},
    }
    return json.dumps(whole), buffers


class WasmExecutable:
    """A plan in a WebAssembly memory of its own, which goes when it is freed."""

    def __init__(self, planned: Plan, text: str, buffers: list[Any]) -> None:
        """Of a plan, and what `program` makes of it. Raises BackendError where the memory cannot be had."""
        import js

        self.plan = planned
        opened = kernels()
        try:
            self.machine = js.webkerasWasm.create(
                opened, js.JSON.parse(text), crossing.buffers(buffers), _script(js, opened)
            )
        except Exception as e:
            need = planned.floats * 4 / 2**20
            raise BackendError(
                f"wasm: the model needs {need:.0f} MiB of memory, and the browser says: {crossing.words(e)}"
            ) from None

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return crossing.outputs(self.machine.run(self._fed(feeds)))

    def profile(self, feeds: Mapping[str, Any]) -> list[tuple[str, str, float]]:
        """(layer, op, milliseconds) of every instruction of one run, by one thread."""
        times = self.machine.profile(self._fed(feeds)).to_py()
        return [(*step, ms) for step, ms in zip(self.plan.steps, times, strict=True)]

    def _fed(self, feeds: Mapping[str, Any]) -> Any:
        for name, region in self.plan.inputs.items():
            got = len(feeds[name])
            if got != region.size:
                raise BackendError(f"wasm: input {name!r} holds {got} numbers; the plan takes {region.size}")
        return crossing.feeds(feeds)

    async def run_async(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """In the page itself with a rest after every few milliseconds of work; in a worker at once."""
        given = self.machine.predict(self._fed(feeds))
        return crossing.outputs(await given if isawaitable(given) else given)

    def free(self) -> None:
        self.machine.free()

    def __str__(self) -> str:
        return str(self.plan)


def _script(js: Any, opened: Any) -> Any:
    """Where workers find machine.js: the page's copy, else (no strict CSP then) a blob of the wheel's."""
    if opened.threads == 1 or js.webkerasWasm.url:
        return js.webkerasWasm.url
    from pyodide.ffi import to_js

    kind = js.Object.fromEntries(to_js([["type", "text/javascript"]]))
    js.webkerasWasm.url = js.URL.createObjectURL(js.Blob.new(to_js([_files["machine.js"].decode()]), kind))
    return js.webkerasWasm.url


class Wasm:
    """The CPU through WebAssembly."""

    def __init__(self, half: bool = False) -> None:
        """With `half`, weights of products stay bytes or 16-bit floats in memory and are widened panel by panel."""
        kernels()
        self.name, self.half = "wasm-half" if half else "wasm", half

    def prepare(self, graph: Graph) -> WasmExecutable:
        planned = plan(graph, self.half)
        return WasmExecutable(planned, *program(planned))

    async def prepare_async(self, graph: Graph) -> WasmExecutable:
        planned = plan(graph, self.half)
        text, buffers = program(planned)
        await crossing.arrived(buffers)
        executable = WasmExecutable(planned, text, buffers)
        if executable.machine.workers.length:
            await executable.machine.staffed
        return executable
