"""The only module that touches WebGL: it hands plans to runner.js and brings errors back as ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from importlib import resources
from typing import Any

from webkeras.backends import crossing
from webkeras.backends.webgl2 import glsl, selftest
from webkeras.backends.webgl2.kernels import EPILOGUES, KERNELS, NATIVE
from webkeras.backends.webgl2.layout import Limits
from webkeras.backends.webgl2.planner import Plan, Planner
from webkeras.backends.webgl2.program import program
from webkeras.backends.webgl2.work import fitted
from webkeras.errors import BackendError, DeviceLost, NoBackend, ShaderError
from webkeras.graph import Graph
from webkeras.passes import expand, fold, fuse, thin

#: Work of a run that wide programs do not make quicker; they take two to three times as long to compile as narrow ones.
LITTLE = 1 << 24

_runner: Any = None
_test: SelfTest | None = None  # while it is not over
_refused = ""  # why the runner was not taken
tested = 0.0  # milliseconds, in all, that models waited for the self-test while they were prepared


def passes(graph: Graph, limits: Limits) -> Graph:
    """The graph as this backend wants it."""
    return thin(fuse(fold(expand(graph, NATIVE), kernels=False), EPILOGUES, limits.samplers - 2, again=True))


def plan(graph: Graph, limits: Limits | None = None, little: int = 0) -> Plan:
    """The plan of a graph, for a driver with these limits; needs no browser.

    Of a graph of less work than `little`, fragments write two texels at most.
    """
    limits = limits or Limits()
    graph = passes(graph, limits)
    return Planner(graph, fitted(graph, limits, little), KERNELS).finish()


def why_not() -> str:
    """Why WebGL2 cannot be used here, or ""."""
    try:
        runner()
        test()
    except NoBackend as e:
        return str(e)
    return ""


def runner() -> Any:
    """The one Runner of this page or worker, made when first asked for. Its self-test begins; `test` must end it.

    Raises NoBackend where there is no browser, no WebGL2, no float render targets, or a driver that computes wrongly.
    """
    global _runner
    if _refused:
        raise NoBackend(_refused)
    if _runner is None:
        _runner, begun = _created()
        _begin_test(begun)
    return _runner


def _created() -> tuple[Any, Any]:
    """A runner, and its self-test where the page has begun that already (engine.mjs)."""
    try:
        import js
    except ImportError:
        raise NoBackend("there is no browser here") from None
    if early := getattr(js, "webkerasEarly", None):
        js.webkerasEarly = None  # ours from now on
        return early.runner, getattr(early, "exe", None)
    if not hasattr(js, "webkerasRunner"):
        crossing.script("runner.js", (resources.files(__package__) / "runner.js").read_text())
    try:
        return js.webkerasRunner.create(), None
    except Exception as e:  # a JsException, or no canvas at all
        raise NoBackend(crossing.words(e)) from None


def _begin_test(begun: Any = None) -> None:
    global _test
    _test = SelfTest(_runner, begun)


def _test_plan(limits: Limits) -> Plan:
    return plan(selftest.graph(), limits)


def early() -> dict[str, str]:
    """The self-test's plan, as the page begins it before Python is there, for drivers of (lanes, neighbours)."""
    limits = {f"{lanes}-{n}": Limits(lanes=lanes, neighbours=n) for lanes in (4, 8) for n in (1, 2, 4)}
    return {name: program(_test_plan(each))[0] for name, each in limits.items()}


def test() -> None:
    """End the self-test, before any answer is given. Raises NoBackend where the driver computes wrongly."""
    while _test:
        try:
            _test.finish()
            _judge(_complaint(_test.read()))
        except BackendError as e:
            _judge(f"this GPU's driver fails: {e}")
    runner()


async def test_async() -> None:
    """The same, the page going on meanwhile; what was drawn since the self-test was is not waited for."""
    while mine := _test:
        try:
            mine.finish()
            why = _complaint(await mine.answer())
        except BackendError as e:
            why = f"this GPU's driver fails: {e}"
        if mine is _test:  # nobody else has judged
            _judge(why)
    runner()


def _complaint(found: Mapping[str, Any]) -> str:
    return selftest.complaint({k: [float(v) for v in y.to_py()] for k, y in found.items()})


def _judge(why: str) -> None:
    """The self-test is over: passed; or repeated, no fragment telling another one anything; or refused."""
    global _runner, _test, _refused
    if _test:
        _test.free()
    _test = None
    if why and _runner.neighbours > 1:
        _runner.neighbours = 1
        _begin_test()
    elif why:
        from js import console

        console.warn(f"webkeras: {why}")
        _runner, _refused = None, why


def _limits(made: Any) -> Limits:
    found = made.limits()
    return Limits(found.max_size, found.lanes, found.samplers, found.half, neighbours=found.neighbours)


def _ours(e: Exception, planned: Plan) -> Exception:
    """A JavaScript error as one of ours."""
    name = getattr(e, "name", "")
    if name == "ShaderError":
        text = e.source  # type: ignore[attr-defined]
        source = next(s.source for s in [*planned.prepare, *planned.steps] if s.source.text == text)
        return ShaderError(glsl.explain(e.message, source))  # type: ignore[attr-defined]
    if name == "DeviceLost":
        return DeviceLost("webgl2: the GPU context was lost; predict again once it is restored")
    return BackendError(f"webgl2: {crossing.words(e)}")


class WebGL2Executable:
    """A plan on the GPU."""

    def __init__(self, planned: Plan, on: Any) -> None:
        """Begin on a runner: programs compile; `finish` or `finish_async` must follow."""
        from js import JSON

        self.plan, self.runner = planned, on
        text, self.buffers = program(planned)
        self.exe = self._guard(lambda: self.runner.begin(JSON.parse(text)))
        self.machine = self.exe  # what the page may run without asking Python

    def _guard(self, f: Any) -> Any:
        try:
            return f()
        except Exception as e:
            raise _ours(e, self.plan) from None

    def finish(self) -> None:
        """Weights go up; wait for the programs and make the constants."""
        self._load()
        self._guard(lambda: self.runner.finish(self.exe))

    async def finish_async(self) -> None:
        """The same, waiting for weights and programs alike, the page going on meanwhile."""
        await asyncio.gather(self._arrived(), self._compiled())
        self._guard(lambda: self.runner.finish(self.exe))

    async def _arrived(self) -> None:
        await crossing.arrived(self.buffers)
        self._load()

    async def _compiled(self) -> None:
        while not self.runner.ready(self.exe):
            await asyncio.sleep(0.002)
        self._guard(lambda: self.runner.warm(self.exe))

    def _load(self) -> None:
        self._guard(lambda: self.runner.load(self.exe, crossing.buffers(self.buffers)))

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        self.leave(feeds)
        return self.read()

    def read(self) -> dict[str, Any]:
        """The outputs of the last run."""
        return crossing.outputs(self._guard(lambda: self.runner.read(self.exe)))

    @property
    def turn(self) -> int:
        """How often it was run."""
        return int(self.exe.turn)

    def profile(self, feeds: Mapping[str, Any]) -> list[tuple[str, str, float]]:
        """(layer, op, milliseconds) of every draw, each waited for: together more than a prediction takes."""
        self.run(feeds)  # what a first draw costs is no step's
        times: list[tuple[str, str, float]] = self._guard(self._timed)
        return times

    def _timed(self) -> list[tuple[str, str, float]]:
        from js import Float32Array, performance

        gl, steps, pixel, found = self.runner.gl, self.exe.plan.steps, Float32Array.new(4), []
        for i, step in enumerate(self.plan.steps):
            start = performance.now()
            self.runner.draw(self.exe, steps.slice(i, i + 1))
            gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.FLOAT, pixel)  # from what the step has just drawn
            op, _, layer = step.label.partition(" ")
            found.append((layer, op, performance.now() - start))
        return found

    async def run_async(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return crossing.outputs(await self.runner.predict(self.exe, crossing.feeds(feeds)))
        except Exception as e:
            raise _ours(e, self.plan) from None

    def leave(self, feeds: Mapping[str, Any]) -> None:
        """Run, and leave the outputs on the GPU."""
        self._guard(lambda: self.runner.run(self.exe, crossing.feeds(feeds)))

    def output(self, name: str) -> Any:
        """An output where the last run left it: another executable takes it as an input of the same shape."""
        from js import Object
        from pyodide.ffi import to_js

        return Object.fromEntries(to_js([["exe", self.exe], ["output", name]]))

    def free(self) -> None:
        self.runner.free(self.exe)

    def __str__(self) -> str:
        return str(self.plan)


class SelfTest(WebGL2Executable):
    """A graph of known answers on a new runner: a driver compiles it while models are read and planned."""

    def __init__(self, on: Any, begun: Any) -> None:
        """Begin it, unless it is `begun`."""
        if begun is None:
            super().__init__(_test_plan(_limits(on)), on)
        else:
            self.runner, self.exe = on, begun

    def __getattr__(self, name: str) -> Any:
        """The plan of what the page has begun, for its errors only."""
        if name != "plan":
            raise AttributeError(name)
        self.plan = _test_plan(_limits(self.runner))
        return self.plan

    def finish(self) -> None:
        """Draw it; later calls do nothing."""
        self._guard(lambda: self.runner.answered(self.exe))

    async def answer(self) -> dict[str, Any]:
        """The outputs, read behind the self-test's own draws."""
        try:
            return crossing.outputs(await self.runner.answered(self.exe))
        except Exception as e:
            raise _ours(e, self.plan) from None


class WebGL2:
    """The GPU through WebGL2."""

    def __init__(self, half: bool = False) -> None:
        """With `half`, textures hold 16-bit floats even where 32-bit ones work: half the memory, about 3 digits.

        A driver that computes wrongly is found out when a graph is prepared, which raises NoBackend then.
        """
        self.name, self.half, self.runner = "webgl2-half" if half else "webgl2", half, runner()

    @property
    def limits(self) -> Limits:
        """What the driver can do; after the self-test it may be less."""
        found = _limits(self.runner)
        return replace(found, half=self.half or found.half)

    def prepare(self, graph: Graph) -> WebGL2Executable:
        test()
        executable = WebGL2Executable(plan(graph, self.limits, LITTLE), self.runner)
        executable.finish()
        return executable

    async def prepare_async(self, graph: Graph) -> WebGL2Executable:
        global tested
        limits, start = self.limits, time.perf_counter()
        if _test:
            with suppress(BackendError):  # `test` tells
                _test.finish()
        planning = time.perf_counter()
        executable = WebGL2Executable(plan(graph, limits, LITTLE), self.runner)
        try:
            waiting = time.perf_counter()
            await test_async()  # its draws are before this graph's, and who asks for programs would wait for them
            tested += (planning - start + time.perf_counter() - waiting) * 1000
            await executable.finish_async()
        except BaseException:
            executable.free()
            raise
        if self.limits == limits:
            return executable
        executable.free()
        return await self.prepare_async(graph)
