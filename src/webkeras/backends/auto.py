"""backend="auto": every backend that works here makes the model ready and answers; the quickest one stays.

Measured, not guessed: which is quicker depends on the model, the GPU, its driver and the number of cores, and a wrong
guess costs a visitor every prediction. What it costs is one more `prepare` before the first answer.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from webkeras.errors import BackendError, NoBackend
from webkeras.graph import Graph

if TYPE_CHECKING:
    from webkeras.backends import Backend, Executable

RUNS = 3  # the first one warms up, the best of the others counts
QUICK = 0.001  # seconds; no other backend is tried then: what a GPU takes to answer at all is not much less
PATIENCE = 0.25  # seconds after which one run more is not worth the wait


class Auto:
    """The quickest of several backends for one model; the choice is made once, at its first graph.

    `name` is the chosen backend's, "auto" before; `measured` are milliseconds a prediction by backend, and for one that
    could not take the model, `refused` holds the sentence.
    """

    def __init__(
        self,
        names: Sequence[str],
        open_: Callable[[str], Backend],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Backends by name, tried in this order, each opened (which raises NoBackend) only when it is its turn."""
        self.names, self.open, self.clock = names, open_, clock
        self.measured: dict[str, float] = {}
        self.refused: dict[str, str] = {}
        self.chosen: Backend | None = None

    @property
    def name(self) -> str:
        return self.chosen.name if self.chosen else "auto"

    def prepare(self, graph: Graph) -> Executable:
        """Raises BackendError where no candidate can take the graph."""
        if self.chosen:
            return self.chosen.prepare(graph)
        ready: list[tuple[Backend, Executable]] = []
        for name in self.names:
            try:
                backend = self.open(name)
                executable = backend.prepare(graph)
                self._note(backend, [self._timed(executable, graph) for _ in range(RUNS)])
                ready.append((backend, executable))
                if self.measured[name] <= 1000 * QUICK:
                    break
            except BackendError as e:
                self.refused[name] = str(e)
        return self._best(ready)

    async def prepare_async(self, graph: Graph) -> Executable:
        """The same without blocking the page."""
        if self.chosen:
            return await self.chosen.prepare_async(graph)
        ready: list[tuple[Backend, Executable]] = []
        for name in self.names:
            try:
                backend = self.open(name)
                executable = await backend.prepare_async(graph)
                times: list[float] = []
                while len(times) < RUNS and (len(times) < 2 or times[-1] < PATIENCE):
                    start = self.clock()
                    await executable.run_async(feeds(graph))
                    times.append(self.clock() - start)
                self._note(backend, times)
                ready.append((backend, executable))
                if self.measured[name] <= 1000 * QUICK:
                    break
            except BackendError as e:
                self.refused[name] = str(e)
        return self._best(ready)

    def _timed(self, executable: Executable, graph: Graph) -> float:
        start = self.clock()
        executable.run(feeds(graph))
        return self.clock() - start

    def _note(self, backend: Backend, times: Sequence[float]) -> None:
        self.measured[backend.name] = 1000 * min(times[1:] or times)

    def _best(self, ready: list[tuple[Backend, Executable]]) -> Executable:
        """Keep the quickest, free the rest."""
        if not ready:
            why = "; ".join(f"backend {n!r} cannot take this model: {said}" for n, said in self.refused.items())
            raise NoBackend(why)
        self.chosen, best = min(ready, key=lambda pair: self.measured[pair[0].name])
        for _, executable in ready:
            if executable is not best:
                executable.free()
        return best


def feeds(graph: Graph) -> Mapping[str, Any]:
    """Zeros for every input of a graph."""
    return {name: array("f", bytes(4 * v.size)) for name, v in graph.inputs.items()}
