"""BENCH.md says what falls short, why, on which machine and how busy that was."""

from typing import Any

import pytest

from tests.bench import targets
from tests.bench.report import Machine, Report
from tests.bench.run import folded

SOFTWARE = {"renderer": "ANGLE (SwiftShader)", "browser": "Chrome/1 x", "cores": 2, "isolated": True}


def gl(engine: str, backend: str, first: float, median: float) -> dict[str, Any]:
    times = {"first": first, "median": median, "min": median, "load": 1.0}
    return {"model": "mnist_cnn", "engine": engine, "backend": backend, "name": engine, "programs": 3, "bytes": 2**20,
            "error": 1e-6, **times}  # fmt: skip


def cpu(engine: str, threads: int, median: float) -> dict[str, Any]:
    return {**gl(engine, "wasm", 1.0, median), "model": "resnet50", "threads": threads}


def report(rows: list[dict[str, Any]], reasons: dict[str, str] | None = None, **about: Any) -> Report:
    machine = Machine("here", [{"environment": SOFTWARE}, {"machine": {"cpu": "a cpu", **about}}, *rows])
    return Report([machine], reasons or {}, "nothing")


def test_a_row_that_falls_short_says_so_with_its_reason() -> None:
    rows = [gl("tfjs", "webgl", 100, 10), gl("webkeras", "webgl2", 19, 5.1)]
    made = report(rows, {"webgl2 mnist_cnn median": "the fence"})
    text = made.text()
    assert made.met == ["webgl2 mnist_cnn first"]
    assert made.short == ["webgl2 mnist_cnn median"]
    assert "**0.510 (<= 0.5)**" in text
    assert "FALLS SHORT: median: the fence" in text
    assert not made.unused


def test_a_reason_that_no_row_asks_for_is_told() -> None:
    rows = [gl("tfjs", "webgl", 100, 10), gl("webkeras", "webgl2", 19, 4.9)]
    made = report(rows, {"webgl2 mnist_cnn median": "the fence"})
    assert "FALLS SHORT:" not in made.text()
    assert made.unused == {"webgl2 mnist_cnn median"}


def test_threads_are_compared_with_as_many_threads() -> None:
    rows = [cpu("litert", 1, 100), cpu("litert", 2, 50), cpu("webkeras", 1, 81), cpu("webkeras", 2, 40)]
    made = report(rows)
    lines = [line for line in made.text().splitlines() if line.startswith("| resnet50")]
    assert "**0.810 (<= 0.8)**" in lines[0]
    assert "0.80" in lines[1]
    assert "2.02 times one thread" in lines[1]
    assert made.short == ["wasm-1 resnet50 litert"]


def test_who_is_not_there_is_not_measured_and_counts_for_nothing() -> None:
    rows = [
        {"model": "resnet50", "engine": "ort", "backend": "wasm", "threads": 1, "failed": "not measured: no converter"}
    ]
    made = report([*rows, cpu("webkeras", 1, 81)])
    text = made.text()
    assert "- resnet50, ort: not measured: no converter" in text
    assert (made.met, made.short) == ([], [])


def test_first_predictions_of_visits_alone_are_folded_into_their_median() -> None:
    def visit(model: str, first: float, **more: float) -> dict[str, Any]:
        return {"model": model, "engine": "tfjs", "backend": "webgl", "first": first, **more}

    lost = {"model": "a", "engine": "tfjs", "backend": "webgl", "failed": "no answer"}
    seen = [visit("a", 9, n=20), visit("a", 3, n=0), visit("b", 1, n=20), visit("a", 4, n=0)]
    found = folded([*seen, lost, {"weights": {}}])
    assert [(r.get("model"), r.get("first"), r.get("firsts")) for r in found] == [
        ("a", 3.5, [3, 4]), ("b", 1, [1]), ("a", None, None), (None, None, None),
    ]  # fmt: skip


def test_the_load_and_the_noise_are_said() -> None:
    text = report([], load={"start": 0.5, "median": 9.0, "max": 12.0}, noisy=True).text()
    assert "start 0.5, median 9.0, max 12.0" in text
    assert "noisy" in text


@pytest.mark.parametrize(("total", "short"), [(1199.0, []), (1201.0, ["startup mnist_cnn total"])])
def test_startup_is_the_median_of_the_later_visits(total: float, short: list[str]) -> None:
    visit = {
        "model": "mnist_cnn",
        "engine": "webkeras",
        "backend": "auto",
        "name": "webkeras",
        "page": 1.0,
        "opened": 1.0,
    }
    totals = [9000.0, total - 9, total, 5000.0]
    rows = [{"startup": {**visit, "first": 1.0, "round": i, "total": t}} for i, t in enumerate(totals)]
    made = report(rows)
    assert f"| {total:.0f} |" in made.text()
    assert made.short == short


def test_targets_of_a_gpu_are_others() -> None:
    assert targets.webgl2("mnist_cnn", "median", software=False) == 0.3
    assert targets.webgl2("mnist_cnn", "median", software=True) == 0.5
