"""Times webkeras and its peers on the same models in one run of one headless Chromium, and writes BENCH.md:

    python tests/bench/run.py         everything; saves tests/bench/results/cpu.json, writes BENCH.md

    --models mnist_cnn,fer            a part of it is printed and changes no file, unless --save NAME says which results
    --backends webgl2,wasm,startup    what is measured: the GPU, the CPU, page open to first answer
    --engines tfjs,webkeras           who takes part (litert, ort)
    --n 20                            predictions that are timed, after the first one and one before each turn
    --save NAME                       the results become tests/bench/results/NAME.json, and BENCH.md is written
    --noisy                           says in BENCH.md that the machine was busy with other work
    --prepare                         only lay out dist/bench, and say which pages to open (for a machine with a GPU)
    --read FILE                       instead of measuring: the results POSTed elsewhere, a JSON object a line; what
                                      machine.py prints there is one more
    --report                          only write BENCH.md anew from the saved results, reasons.toml and tried.md

Everything is float32 and batch 1; the upload of the input and the download of the output are inside the times.
A bench never gates: its figures are read, not asserted.
"""

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Iterable
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.bench import machine, models, peers, report  # noqa: E402
from tests.bench.table import table  # noqa: E402
from tools import build_wasm  # noqa: E402
from tools.browser import chromium, console  # noqa: E402
from tools.common import DIST, WEB, copy_if_changed, fail, say  # noqa: E402
from tools.serve import Handler  # noqa: E402

HERE = Path(__file__).resolve().parent
BENCH = DIST / "bench"
LINES = BENCH / "results.jsonl"  # of the last run
PAGE = ["peers.html", "peers.js", "frame.html", "engines.js", "gl_meter.js", "startup.html", "startup.js"]
ENGINES = {  # the peers first
    "webgl2": ["tfjs:webgl", "webkeras:webgl2"],
    "wasm": [f"{engine}:wasm:{threads}" for threads in (1, 2) for engine in ("tfjs", "litert", "ort", "webkeras")],
    "startup": ["webkeras:auto", "tfjs:webgl", "webkeras:wasm", "tfjs:wasm"],
}
ROUNDS = 5  # visits of each engine after the first
FIRSTS = 3  # visits on the GPU for first predictions, each of an engine alone: one may be half as long again


def lay_out(wanted: list[str]) -> None:
    """The pages, the peers and the models into dist/bench."""
    peers.lay_out(BENCH)
    for name in PAGE:
        copy_if_changed(HERE / name, BENCH / name)
    for model in wanted:
        models.lay_out(model, BENCH / "models")


def note(results: list[dict[str, Any]], row: dict[str, Any]) -> None:
    """Keep a result, on disk too: a run that is stopped is not lost, --read has what there was."""
    results.append(row)
    with LINES.open("a") as file:
        file.write(json.dumps(row) + "\n")


def serve(results: list[dict[str, Any]], done: threading.Event) -> ThreadingHTTPServer:
    """Serve dist/ on loopback, cross-origin isolated; what the page POSTs goes to `results`."""

    class Collector(Handler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(DIST))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if "progress" in body:
                say(f"  {body['progress']}")
            else:
                note(results, body)
            if "done" in body:
                done.set()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def measure(page: str, limit: float, load: machine.Load) -> tuple[list[dict[str, Any]], str]:
    """Open the page in one headless Chromium; its results and the browser's version."""
    results: list[dict[str, Any]] = []
    done = threading.Event()
    server = serve(results, done)
    try:
        with chromium("--disable-quic") as driver:
            browser = f"{driver.capabilities['browserName']} {driver.capabilities['browserVersion']}"
            driver.get(f"http://127.0.0.1:{server.server_port}/{page}")
            end = time.monotonic() + limit
            while not done.wait(5):
                load.sample()
                _ = driver.title  # raises when the browser has died
                if time.monotonic() > end:
                    say("\n".join(console(driver)[-20:]))
                    fail(f"the page did not end within {limit:.0f} s")
            for line in console(driver):
                if line.startswith("SEVERE") and '"INFO:' not in line and '"WARNING:' not in line:  # LiteRT.js' log
                    say(f"  {line}")
    finally:
        server.shutdown()
    return results, browser


def pages(backends: list[str], wanted: list[str], engines: list[str], n: int) -> Iterable[str]:
    """The address of each page to open, each in a browser of its own: models on the GPU, where one would find what
    another one has compiled, engines alone there as well, for their first predictions; all on the CPU; the start-up."""
    taking_part = {b: [e for e in ENGINES[b] if e.split(":")[0] in engines] for b in backends}

    def page(models: str, engines: list[str], n: int) -> str:
        return f"bench/peers.html?models={models}&engines={','.join(engines)}&n={n}"

    if on_gpu := taking_part.get("webgl2"):
        for model in wanted:
            yield page(model, on_gpu, n)
            yield from (page(model, [engine], 0) for engine in on_gpu * FIRSTS)
    if taking_part.get("wasm"):
        yield page(",".join(wanted), taking_part["wasm"], n)
    if startup := taking_part.get("startup"):
        yield f"bench/startup.html?model=mnist_cnn&engines={','.join(startup)}&rounds={min(n, ROUNDS)}"


def folded(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Results with the median of the first predictions that an engine made alone in the place of the one it made among
    others; `firsts` are all of those."""

    def visits(row: dict[str, Any]) -> list[float]:
        keys = ("model", "engine", "backend", "threads")
        same = (r for r in results if r.get("n") == 0 and all(r.get(k) == row.get(k) for k in keys))
        alone = [r["first"] for r in same if "first" in r]
        return sorted(alone) or [row["first"]]

    whole = [r for r in results if r.get("n") != 0]
    return [r | {"firsts": (f := visits(r)), "first": statistics.median(f)} if "first" in r else r for r in whole]


def weights(wanted: list[str]) -> dict[str, int]:
    files = {model: BENCH / "models" / model / f"{model}_weights.buf" for model in wanted}
    return {model: file.stat().st_size for model, file in files.items() if file.exists()}


def save(name: str, results: list[dict[str, Any]]) -> None:
    """Keep the results under a name, a row a line, and write BENCH.md."""
    report.RESULTS.mkdir(exist_ok=True)
    kept = [json.dumps(r) for r in results if "done" not in r and "progress" not in r]
    (report.RESULTS / f"{name}.json").write_text("[\n" + ",\n".join(kept) + "\n]\n")
    say(report.write(ROOT / "BENCH.md"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(models.names()))
    parser.add_argument("--backends", default=",".join(ENGINES))
    parser.add_argument("--engines", default="tfjs,litert,ort,webkeras")
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--limit", type=float, default=3600, metavar="SECONDS", help="for a page")
    parser.add_argument("--save", metavar="NAME")
    for flag in ("noisy", "prepare", "report"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("--read", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.report:
        say(report.write(ROOT / "BENCH.md"))
        return

    wanted, backends = arguments.models.split(","), arguments.backends.split(",")
    if arguments.read:
        lines = [line for line in arguments.read.read_text().splitlines() if line.startswith("{")]
        results = folded([{"weights": weights(wanted)}, *map(json.loads, lines)])
    else:
        for backend in backends:
            if backend not in ENGINES:
                fail(f"there is no backend '{backend}'; there are {', '.join(ENGINES)}")
        if not (WEB / "webkeras.js").exists():
            fail("dist/web is not built; run ./build.sh first")
        lay_out(wanted)
        addresses = list(pages(backends, wanted, arguments.engines.split(","), arguments.n))
        if not addresses:
            fail(f"nobody is left to measure: --engines {arguments.engines}, --backends {arguments.backends}")
        if arguments.prepare:
            print(f"serve {DIST.relative_to(ROOT)}/ cross-origin isolated and open", *addresses, sep="\n")
            return
        load, results, browser = machine.Load(), [], ""
        LINES.unlink(missing_ok=True)
        for address in addresses:
            found, browser = measure(address, arguments.limit, load)
            results += found
        sizes = {file.name: file.stat().st_size for file in build_wasm.modules()}
        told = {"browser": browser, "n": arguments.n, "load": load.told(), "modules": sizes, "noisy": arguments.noisy}
        note(results, {"machine": machine.described(**told)})
        results = folded([*results, {"weights": weights(wanted)}])
    print(table(results))
    whole = not arguments.read and all(
        getattr(arguments, key) == parser.get_default(key) for key in ("models", "backends", "engines", "n")
    )
    if arguments.save or whole:
        save(arguments.save or "cpu", results)


if __name__ == "__main__":
    main()
