"""backend="auto" answers at once and keeps the quickest backend; clocks and backends are made up."""

import asyncio

import pytest

from webkeras.backends import choose
from webkeras.backends.auto import Auto
from webkeras.errors import BackendError, NoBackend
from webkeras.graph import Graph, Value

GRAPH = Graph({"x": Value((2, 3))}, {})
FEEDS = {"x": [0.0] * 6}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Executable:
    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.freed, self.runs = clock, list(seconds), False, 0

    def run(self, fed):
        assert [len(v) for v in fed.values()] == [6]
        seconds = self.seconds[min(self.runs, len(self.seconds) - 1)]
        if isinstance(seconds, BackendError):
            raise seconds
        self.clock.now += seconds
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
def use(request):
    """Prepare, and predict n times, as a page does and as Python does; the executable."""

    def begin(auto):
        return asyncio.run(auto.prepare_async(GRAPH)) if request.param == "async" else auto.prepare(GRAPH)

    def go_on(executable, n=1):
        for _ in range(n):
            if request.param == "async":
                asyncio.run(executable.run_async(FEEDS))
            else:
                executable.run(FEEDS)

    return begin, go_on


HOW = pytest.mark.parametrize("use", ["sync", "async"], indirect=True)


@HOW
def test_the_first_answers_come_from_the_first_backend_and_no_other_is_opened(use):
    begin, go_on = use
    clock = Clock()
    first, other = Backend("wasm", clock, 0.9, 0.005), Backend("webgl2", clock, 0.5, 0.002)
    auto = among(clock, first, other)
    assert auto.name == "auto"
    executable = begin(auto)
    assert (auto.name, first.made[0].runs, clock.now) == ("wasm", 0, 0.0)
    go_on(executable, 3)
    assert (auto.name, first.made[0].runs, other.made) == ("wasm", 3, [])


@HOW
def test_the_quickest_stays_and_the_other_is_freed(use):
    begin, go_on = use
    clock = Clock()
    slow, quick = Backend("wasm", clock, 0.9, 0.004, 0.005), Backend("webgl2", clock, 0.5, 0.003, 0.002)
    auto = among(clock, slow, quick)
    executable = begin(auto)
    go_on(executable, 6)
    assert auto.name == "webgl2"  # the first run, which compiles, does not count
    assert (slow.made[0].freed, quick.made[0].freed) == (True, False)
    assert auto.measured == pytest.approx({"wasm": 4.0, "webgl2": 2.0})
    go_on(executable)
    assert (slow.made[0].runs, quick.made[0].runs) == (3, 4)


@HOW
def test_the_first_one_stays_where_it_is_the_quicker(use):
    begin, go_on = use
    clock = Clock()
    quick, slow = Backend("wasm", clock, 0.9, 0.004), Backend("webgl2", clock, 0.5, 0.3)
    auto = among(clock, quick, slow)
    executable = begin(auto)
    go_on(executable, 6)
    assert auto.name == "wasm"
    assert (quick.made[0].freed, slow.made[0].freed) == (False, True)
    assert slow.made[0].runs == 2  # the second told enough
    assert quick.made[0].runs == 4


@HOW
def test_a_large_model_finds_its_backend_in_four_predictions(use):
    begin, go_on = use
    clock = Clock()
    slow, quick = Backend("wasm", clock, 0.5, 0.3), Backend("webgl2", clock, 0.9, 0.02)
    auto = among(clock, slow, quick)
    executable = begin(auto)
    go_on(executable, 2)
    assert not quick.made
    go_on(executable)
    assert quick.made[0].runs == 1
    go_on(executable, 2)
    assert auto.name == "webgl2"
    assert slow.made[0].runs == 2


@HOW
def test_the_choice_is_made_once(use):
    begin, go_on = use
    clock = Clock()
    slow, quick = Backend("wasm", clock, 0.004), Backend("webgl2", clock, 0.002)
    auto = among(clock, slow, quick)
    go_on(begin(auto), 6)
    go_on(begin(auto), 6)
    assert (len(slow.made), len(quick.made)) == (1, 2)


@HOW
def test_where_one_is_quick_enough_no_other_is_tried(use):
    begin, go_on = use
    clock = Clock()
    quick, other = Backend("wasm", clock, 0.9, 0.0004), Backend("webgl2", clock, 0.0001)
    auto = among(clock, quick, other)
    go_on(begin(auto), 9)
    assert auto.name == "wasm"
    assert auto.chosen is quick
    assert not other.made


@HOW
def test_one_that_cannot_take_the_model_is_passed_over(use):
    begin, go_on = use
    clock = Clock()
    for order in (("no", "yes"), ("yes", "no")):
        backends = {"no": Backend("webgl2", clock), "yes": Backend("wasm", clock, 0.003)}
        auto = among(clock, *[backends[name] for name in order])
        go_on(begin(auto), 5)
        assert auto.chosen is backends["yes"]
        assert auto.refused == {"webgl2": "webgl2 has no room"}


@HOW
def test_one_that_cannot_be_opened_is_passed_over(use):
    begin, go_on = use
    other = Backend("webgl2", Clock(), 0.003)

    def open_(name):
        if name == "wasm":
            raise NoBackend("this browser has no WebAssembly with SIMD")
        return other

    auto = Auto(["wasm", "webgl2"], open_, Clock())
    go_on(begin(auto), 3)
    assert auto.chosen is other
    assert auto.refused == {"wasm": "this browser has no WebAssembly with SIMD"}


@HOW
def test_one_that_falls_over_while_it_is_tried_does_not_cost_the_answer(use):
    begin, go_on = use
    clock = Clock()
    first, broken = Backend("wasm", clock, 0.003), Backend("webgl2", clock, BackendError("webgl2 broke"))
    auto = among(clock, first, broken)
    go_on(begin(auto), 5)
    assert auto.chosen is first
    assert auto.refused == {"webgl2": "webgl2 broke"}
    assert broken.made[0].freed
    assert first.made[0].runs == 5


@HOW
def test_the_only_one_that_falls_over_says_so(use):
    begin, go_on = use
    executable = begin(among(Clock(), Backend("wasm", Clock(), BackendError("wasm broke"))))
    with pytest.raises(BackendError, match="wasm broke"):
        go_on(executable)


@HOW
def test_none_that_can_is_one_sentence(use):
    begin, _ = use
    auto = among(Clock(), Backend("webgl2", Clock()), Backend("wasm", Clock()))
    with pytest.raises(NoBackend, match=r"'webgl2' cannot take this model: webgl2 has no room; backend 'wasm'"):
        begin(auto)


@HOW
def test_what_only_some_backends_can_is_there_once_one_is_chosen(use):
    begin, go_on = use
    executable = begin(among(Clock(), Backend("wasm", Clock(), 0.003)))
    assert not hasattr(executable, "seconds")
    go_on(executable, 3)
    assert executable.seconds == [0.003]


@HOW
def test_a_model_that_is_disposed_while_backends_are_tried_frees_both(use):
    begin, go_on = use
    clock = Clock()
    first, other = Backend("wasm", clock, 0.003), Backend("webgl2", clock, 0.002)
    executable = begin(among(clock, first, other))
    go_on(executable, 4)
    executable.free()
    assert (first.made[0].freed, other.made[0].freed) == (True, True)


def test_outside_a_browser_auto_is_numpy():
    assert choose("auto").name == "reference"
