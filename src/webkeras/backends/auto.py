"""backend="auto": the first backend that takes the model answers at once; the others have their turn in later answers.

Measured, not guessed: which is quicker depends on the model, the GPU, its driver and the number of cores, and a wrong
guess costs a visitor every prediction. The first answer waits for one backend only. What is measured are the user's own
predictions: the next backend is opened in one of them, answers a few, and the quickest stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from webkeras.errors import BackendError, NoBackend
from webkeras.graph import Graph

if TYPE_CHECKING:
    from webkeras.backends import Backend, Executable

RUNS = 3  # the first one warms up, the best of the others counts
QUICK = 0.0005  # seconds; no other backend is tried then: a GPU takes as long to answer at all (H200: 0.44 at least)
PATIENCE = 0.25  # seconds after which one run more is not worth the wait
WORSE = 2.0  # times the best after which one run more cannot change much


class Auto:
    """The quickest of several backends for one model; the choice is made once, by the first graph that was tried out.

    `name` is the backend that answers, "auto" before there is one; `measured` are milliseconds a prediction by backend,
    and for one that could not take the model, `refused` holds the sentence.
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
        self.name = "auto"

    def prepare(self, graph: Graph) -> Executable:
        """Ready with the first candidate that takes the graph; raises NoBackend where none does."""
        if self.chosen:
            return self.chosen.prepare(graph)
        trial = Trial(self, graph)
        while trial.due():
            trial.open()
        return trial.begun()

    async def prepare_async(self, graph: Graph) -> Executable:
        """The same without blocking the page."""
        if self.chosen:
            return await self.chosen.prepare_async(graph)
        trial = Trial(self, graph)
        while trial.due():
            await trial.open_async()
        return trial.begun()


class Trial:
    """A graph that runs on one backend after another, and in the end on the quickest."""

    def __init__(self, auto: Auto, graph: Graph) -> None:
        self.auto, self.graph, self.waiting = auto, graph, list(auto.names)
        self.best: tuple[Backend, Executable] | None = None
        self.tried: tuple[Backend, Executable] | None = None  # the one being measured: it answers
        self.times: list[float] = []

    def due(self) -> bool:
        """Is it another backend's turn to be opened?"""
        return self.tried is None and bool(self.waiting)

    def open(self) -> None:
        """Open the next backend."""
        name = self.waiting.pop(0)
        try:
            backend = self.auto.open(name)
            self._try(backend, backend.prepare(self.graph))
        except BackendError as e:
            self._refuse(name, e)

    async def open_async(self) -> None:
        """The same without blocking the page."""
        name = self.waiting.pop(0)
        try:
            backend = self.auto.open(name)
            self._try(backend, await backend.prepare_async(self.graph))
        except BackendError as e:
            self._refuse(name, e)

    def begun(self) -> Trial:
        """Itself, with a backend to answer. Raises NoBackend where all have refused."""
        if not self.tried:
            said = self.auto.refused.items()
            raise NoBackend("; ".join(f"backend {n!r} cannot take this model: {why}" for n, why in said))
        self.auto.name = self.tried[0].name
        return self

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        if self.best and self.due():
            self.open()
        start = self.auto.clock()
        try:
            outputs = self._answering().run(feeds)
        except BackendError as e:
            outputs = self._fallen(e).run(feeds)
        self._took(self.auto.clock() - start)
        return outputs

    async def run_async(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        if self.best and self.due():
            await self.open_async()
        start = self.auto.clock()
        try:
            outputs = await self._answering().run_async(feeds)
        except BackendError as e:
            outputs = await self._fallen(e).run_async(feeds)
        self._took(self.auto.clock() - start)
        return outputs

    def free(self) -> None:
        for pair in (self.best, self.tried):
            if pair:
                pair[1].free()
        self.best = self.tried = None

    def __getattr__(self, name: str) -> Any:
        """What only some backends can do, where one has been chosen."""
        if name.startswith("_") or not self.best or self.tried or self.waiting:
            raise AttributeError(name)
        return getattr(self.best[1], name)

    def __str__(self) -> str:
        return str(self._answering())

    def _answering(self) -> Executable:
        pair = self.tried or self.best
        assert pair is not None, "the executable was freed"
        return pair[1]

    def _try(self, backend: Backend, executable: Executable) -> None:
        self.tried, self.times = (backend, executable), []

    def _refuse(self, name: str, e: BackendError) -> None:
        self.auto.refused[name] = str(e)
        if self.best and not self.waiting:
            self._choose()

    def _fallen(self, e: BackendError) -> Executable:
        """Who answers instead of a backend that fell over while it was tried."""
        if not self.best or not self.tried:
            raise e
        backend, executable = self.tried
        self.tried = None
        executable.free()
        self._refuse(backend.name, e)
        return self.best[1]

    def _took(self, seconds: float) -> None:
        """Note what a prediction took; after enough of them, the quicker one stays."""
        if not self.tried:
            return
        self.times.append(seconds)
        name, most = self.tried[0].name, self.auto.measured.get(self.best[0].name) if self.best else None
        enough = PATIENCE if most is None else min(PATIENCE, WORSE * most / 1000)
        if len(self.times) < RUNS and (len(self.times) < 2 or seconds < enough):
            return
        self.auto.measured[name] = 1000 * min(self.times[1:])
        if self.best and most is not None:
            loser = self.tried if self.auto.measured[name] >= most else self.best
            self.best = self.best if loser is self.tried else self.tried
            loser[1].free()
        else:
            self.best = self.tried
        self.tried = None
        if not self.waiting or self.auto.measured[name] <= 1000 * QUICK:
            self._choose()

    def _choose(self) -> None:
        assert self.best is not None
        self.waiting = []
        self.auto.chosen, self.auto.name = self.best[0], self.best[0].name
