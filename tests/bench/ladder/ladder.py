"""Times the same models under different kernels, in one page of one browser:  python tests/bench/ladder/ladder.py

    --models mobilenetv2,resnet50     golden models, rebuilt into dist/bench
    --steps now,direct                which rungs (RUNGS below)
    --n 20                            predictions that are timed, after two
    --draws                           every draw of a plan as well
    --prepare                         only lay out dist/bench/ladder, and say which page to open (on a GPU machine)

Nothing of Pyodide is in the page: plans are made here, runner.js replays them. What was found stands in README.md.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
import webkeras  # noqa: E402
from tests.bench import machine  # noqa: E402
from tests.bench.run import BENCH, lay_out, measure  # noqa: E402
from tools.common import DIST, copy_if_changed, say  # noqa: E402
from webkeras.backends.webgl2 import kernels, winograd  # noqa: E402
from webkeras.backends.webgl2.context import plan  # noqa: E402
from webkeras.backends.webgl2.layout import Limits  # noqa: E402
from webkeras.backends.webgl2.program import program  # noqa: E402
from webkeras.trace import one_sample  # noqa: E402

HERE = Path(__file__).resolve().parent
LADDER = BENCH / "ladder"


def set_to(module: Any, name: str, value: Any) -> Callable[[Limits], Limits]:
    """A rung that changes a number of a module while its plan is made."""

    def change(limits: Limits) -> Limits:
        setattr(module, name, value)
        return limits

    return change


RUNGS: dict[str, Callable[[Limits], Limits]] = {
    "now": lambda limits: limits,
    "direct": lambda limits: replace(limits, winograd=False),
    "winograd_small": set_to(winograd, "PIXELS", 49),
    "winograd_80": set_to(winograd, "WIDEST", 80 * 80),
    "whole_sums": set_to(kernels, "ENOUGH", 1),
    "lanes4": lambda limits: replace(limits, lanes=4),
    "pairs": lambda limits: replace(limits, neighbours=2),
    "squares": lambda limits: replace(limits, neighbours=4),
    "half": lambda limits: replace(limits, half=True),
}


def write(model: str, rung: str) -> None:
    """The plan of a model on a rung, as the page reads it."""
    folder, before = BENCH / "models" / model, (winograd.PIXELS, winograd.WIDEST, kernels.ENOUGH)
    files = {"weights": folder / f"{model}_weights.buf", "metadata": folder / f"{model}_metadata.json"}
    net = webkeras.load_model(folder / f"{model}.json", **files, backend="reference")
    shapes = one_sample(net.spec)
    assert shapes
    planned = plan(net.network.trace(shapes), RUNGS[rung](Limits()))
    winograd.PIXELS, winograd.WIDEST, kernels.ENOUGH = before
    text, buffers = program(planned)
    assert len(buffers) == 1
    labels = [f"{s.source.files[1]} {s.label}" for s in planned.steps]
    (LADDER / f"{model}.{rung}.json").write_text(json.dumps({**json.loads(text), "labels": labels}))
    say(f"  {model} {rung}: {str(planned).splitlines()[-1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="mnist_cnn,mobilenetv2,imdb_bilstm")
    parser.add_argument("--steps", default=",".join(RUNGS))
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--draws", action="store_true")
    parser.add_argument("--prepare", action="store_true")
    arguments = parser.parse_args()
    models, rungs = arguments.models.split(","), arguments.steps.split(",")
    lay_out(models)
    LADDER.mkdir(exist_ok=True)
    copy_if_changed(HERE / "ladder.html", LADDER / "ladder.html")
    for script in ("common.js", "webgl2/runner.js"):
        copy_if_changed(ROOT / "src/webkeras/backends" / script, LADDER / Path(script).name)
    for model in models:
        for rung in rungs:
            write(model, rung)
    page = f"bench/ladder/ladder.html?models={','.join(models)}&rungs={','.join(rungs)}&n={arguments.n}"
    page += "&draws=1" if arguments.draws else ""
    if arguments.prepare:
        print(f"serve {DIST.relative_to(ROOT)}/ cross-origin isolated and open {page}")
        return
    for line in measure(page, 1800, machine.Load())[0]:
        print(json.dumps(line))


if __name__ == "__main__":
    main()
