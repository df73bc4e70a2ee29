"""Functions from outside: the graph cut into parts around them, each a graph of its own for the backend.

A value's level is how many such functions lie one behind the other before it. A part holds what is of one level, and
the functions that read it are called before the next part runs; constants are made anew in every part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from webkeras.errors import ConfigError, FunctionError
from webkeras.graph import Graph, Node, Value, between

if TYPE_CHECKING:
    from webkeras.backends import Backend, Executable

Step = tuple[str, str, float]  # layer, op, milliseconds
Run = Callable[[Any, Mapping[str, Any]], Any]  # an executable and its feeds -> outputs, or something to await for them


@dataclass
class Part:
    """What a part reads and what it gives, by name of the value, and the functions called after it."""

    given: dict[str, Value] = field(default_factory=dict)
    wanted: dict[str, Value] = field(default_factory=dict)
    calls: list[Node] = field(default_factory=list)


def calls_outside(graph: Graph) -> bool:
    """Is a function from outside in the graph? Raises ConfigError for one in a scan, where every step would call it."""
    nodes = graph.nodes
    for node in nodes:
        if "body" in node.attrs and calls_outside(node.attrs["body"]):
            raise ConfigError(
                f"{node.layer}: its step calls a custom function of the page; only activations of Keras work there"
            )
    return any(node.op == "outside" for node in nodes)


def split(graph: Graph) -> tuple[list[Part], dict[int, str]]:
    """(the parts in order, the names of the values by id)."""
    parts, names = [Part()], {id(v): f"in{i}" for i, v in enumerate(graph.inputs.values())}
    level = {id(v): 0 for v in graph.inputs.values()}  # constants have none

    def cross(v: Value, at: int | None = None) -> None:
        """The value is read outside of its part: by part `at`, or by a function or the caller."""
        named = names.setdefault(id(v), f"v{len(names)}")
        if not arrives(v):
            parts[level.get(id(v), 0)].wanted[named] = v
        if at is not None:
            parts[at].given[named] = v

    for node in graph.nodes:
        outside = node.op == "outside"
        levels = [level[id(v)] for v in node.inputs if id(v) in level]
        if not levels and not outside:
            continue
        at = max(levels, default=0)
        level.update({id(v): at + outside for v in node.outs})
        if outside:
            parts[at].calls.append(node)
            parts.extend([Part()] if len(parts) == at + 1 else [])
        for v in node.inputs:
            if outside:
                cross(v)
            elif id(v) in level and (arrives(v) or level[id(v)] < at):
                cross(v, at)
    for v in graph.outputs.values():
        cross(v)
        if v.node is None and v.constant is None:  # an input: the backend hands it on as its own
            parts[0].given[names[id(v)]] = parts[0].wanted[names[id(v)]] = v
    for node in (node for part in parts for node in part.calls):
        names.setdefault(id(node.out), f"v{len(names)}")
    return parts, names


def arrives(v: Value) -> bool:
    """Does a value come from no part: an input of the graph, or what a function from outside gives?"""
    return v.constant is None and (v.node is None or v.node.op == "outside")


class Apart:
    """A backend that calls functions from outside too; any other graph it hands on as it is."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.name = backend, backend.name

    def prepare(self, graph: Graph) -> Executable:
        make = self.backend.prepare
        return finished(self._made(graph, make)) if calls_outside(graph) else make(graph)

    async def prepare_async(self, graph: Graph) -> Executable:
        make = self.backend.prepare_async
        return await (self._made(graph, make) if calls_outside(graph) else make(graph))

    async def _made(self, graph: Graph, make: Callable[[Graph], Any]) -> Executable:
        made = Parts(graph)
        try:
            for part in made.graphs:
                made.ready.append(await settled(make(part)) if part else None)
        except BaseException:
            made.free()
            raise
        return made

    def __getattr__(self, name: str) -> Any:
        """What else the backend itself has."""
        return getattr(self.backend, name)


class Parts:
    """A graph that calls functions from outside: the backend's executables of its parts, and the calls between."""

    def __init__(self, graph: Graph) -> None:
        """The parts' `graphs` (None: there is nothing to compute) are for the caller to make `ready`, in order."""
        self.parts, self.names = split(graph)
        self.inputs = {k: self.names[id(v)] for k, v in graph.inputs.items()}
        self.outputs = {k: self.names[id(v)] for k, v in graph.outputs.items()}
        self.graphs = [between(p.given, p.wanted) if p.wanted else None for p in self.parts]
        self.ready: list[Executable | None] = []

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Raises FunctionError where a function fails or has to be waited for."""
        outputs: dict[str, Any] = finished(self._run(feeds, lambda part, feeds: part.run(feeds)))
        return outputs

    async def run_async(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return await self._run(feeds, lambda part, feeds: part.run_async(feeds))

    def profile(self, feeds: Mapping[str, Any]) -> list[Step]:
        """(layer, op, milliseconds) of every step of the parts and of every function."""
        steps: list[Step] = finished(self.profile_async(feeds))
        return steps

    async def profile_async(self, feeds: Mapping[str, Any]) -> list[Step]:
        """The same where functions have to be waited for."""
        steps: list[Step] = []

        def run(part: Any, feeds: Mapping[str, Any]) -> Any:
            steps.extend(part.profile(feeds))
            return part.run(feeds)

        await self._run(feeds, run, steps)
        return steps

    async def _run(self, feeds: Mapping[str, Any], run: Run, steps: list[Step] | None = None) -> dict[str, Any]:
        values = {named: feeds[k] for k, named in self.inputs.items()}
        for part, executable in zip(self.parts, self.ready, strict=True):
            if executable is not None:
                values.update(await settled(run(executable, {k: values[k] for k in part.given})))
            for node in part.calls:
                start = time.perf_counter()
                values[self.names[id(node.out)]] = await self._called(node, values)
                if steps is not None:
                    steps.append((node.layer, node.op, (time.perf_counter() - start) * 1000))
        return {k: values[named] for k, named in self.outputs.items()}

    async def _called(self, node: Node, values: Mapping[str, Any]) -> Any:
        """What the function of a node gives. Raises FunctionError, naming the layer, where it fails or does not fit."""
        function, config, weights = (node.attrs.get(k, 0) for k in ("function", "config", "weights"))
        xs = [(values[self.names[id(v)]], v.shape) for v in node.inputs]
        first = len(xs) - weights
        try:
            y = await settled(function.call(xs[:first], config, xs[first:]))
        except FunctionError as e:
            raise FunctionError(f"{node.layer}: {e}") from None
        if len(y) != node.out.size:
            what = f"custom function {function.name!r} gave {len(y)} numbers"
            raise FunctionError(f"{node.layer}: {what}; expected {node.out.size} for the shape {node.out.shape}")
        return y

    def free(self) -> None:
        for part in self.ready:
            if part is not None:
                part.free()
        self.ready = []

    def __str__(self) -> str:
        lines = []
        for part, executable in zip(self.parts, self.ready, strict=True):
            lines += [] if executable is None else [str(executable)]
            lines += [f"custom function {node.attrs['function']}   {node.layer}" for node in part.calls]
        return "\n".join(lines)


async def settled(y: Any) -> Any:
    """y, waited for where it has to be."""
    return await y if hasattr(y, "__await__") else y


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that does not wait. Raises FunctionError where it does."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise FunctionError("a custom function answers later, which only predict_async waits for; call that")
