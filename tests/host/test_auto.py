"""backend="auto" keeps the quickest backend that can take the model; clocks and backends here are made up."""

import asyncio

import pytest

from webkeras.backends import choose
from webkeras.backends.auto import Auto, feeds
from webkeras.errors import BackendError, NoBackend
from webkeras.graph import Graph, Value

GRAPH = Graph({"x": Value((2, 3))}, {})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Executable:
    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.freed, self.runs = clock, list(seconds), False, 0

    def run(self, fed):
        assert [len(v) for v in fed.values()] == [6]
        self.clock.now += self.seconds[min(self.runs, len(self.seconds) - 1)]
        self.runs += 1
        return {}

    async def run_async(self, fed):
        return self.run(fed)

    def free(self):
        self.freed = True


class Backend:
    def __init__(self, name, clock, *seconds):
        self.name, self.made, self.clock, self.seconds = name, [], clock, seconds

    def prepare(self, graph):
        if not self.seconds:
            raise BackendError(f"{self.name} has no room")
        self.made.append(Executable(self.clock, self.seconds))
        return self.made[-1]

    async def prepare_async(self, graph):
        return self.prepare(graph)


def among(clock, *backends):
    by_name = {b.name: b for b in backends}
    return Auto(list(by_name), by_name.__getitem__, clock)


@pytest.fixture
def prepare(request):
    """Prepare as a page does, and as Python does."""
    how = request.param
    return lambda auto: asyncio.run(auto.prepare_async(GRAPH)) if how == "async" else auto.prepare(GRAPH)


HOW = pytest.mark.parametrize("prepare", ["sync", "async"], indirect=True)


@HOW
def test_the_quickest_stays_and_the_others_are_freed(prepare):
    clock = Clock()
    slow, quick = Backend("webgl2", clock, 0.5, 0.004, 0.004), Backend("wasm", clock, 0.9, 0.002, 0.002)
    auto = among(clock, slow, quick)
    assert auto.name == "auto"
    kept = prepare(auto)
    assert auto.name == "wasm"  # the first run, which compiles, does not count
    assert kept is quick.made[0]
    assert not kept.freed
    assert slow.made[0].freed
    assert auto.measured == pytest.approx({"webgl2": 4.0, "wasm": 2.0})


@HOW
def test_the_choice_is_made_once(prepare):
    clock = Clock()
    slow, quick = Backend("webgl2", clock, 0.002), Backend("wasm", clock, 0.001)
    auto = among(clock, slow, quick)
    prepare(auto)
    prepare(auto)
    assert (len(slow.made), len(quick.made)) == (1, 2)


@HOW
def test_where_one_is_quick_enough_no_other_is_tried(prepare):
    clock = Clock()
    quick, other = Backend("wasm", clock, 0.9, 0.0008), Backend("webgl2", clock, 0.0001)
    auto = among(clock, quick, other)
    prepare(auto)
    assert auto.name == "wasm"
    assert not other.made


@HOW
def test_one_that_cannot_take_the_model_is_passed_over(prepare):
    clock = Clock()
    auto = among(clock, Backend("webgl2", clock), Backend("wasm", clock, 0.003))
    prepare(auto)
    assert auto.name == "wasm"
    assert auto.refused == {"webgl2": "webgl2 has no room"}


@HOW
def test_none_that_can_is_one_sentence(prepare):
    auto = among(Clock(), Backend("webgl2", Clock()), Backend("wasm", Clock()))
    with pytest.raises(NoBackend, match=r"'webgl2' cannot take this model: webgl2 has no room; backend 'wasm'"):
        prepare(auto)


def test_feeds_are_zeros_of_every_input():
    assert [list(v) for v in feeds(GRAPH).values()] == [[0.0] * 6]


def test_outside_a_browser_auto_is_numpy():
    assert choose("auto").name == "reference"
