"""Times webkeras and its peers on the same models in one run of one headless Chromium:  python tests/bench/run.py

    --models mnist_cnn,mobilenetv2    golden models (tests/golden/models), rebuilt here
    --backends webgl2,wasm            of each engine that has it
    --engines tfjs,webkeras           who takes part
    --n 20                            predictions that are timed, after the first and one to warm up
    --threads N                       for engines that can be told
    --prepare                         only lay out dist/bench, and say which page to open (for a machine with a GPU)
    --read FILE                       only print the table of results POSTed elsewhere (a JSON object a line)

Everything is float32 and batch 1; the upload of the input and the download of the output are inside the times.
A bench never gates: its figures are read, not asserted.
"""

import argparse
import base64
import hashlib
import json
import shutil
import sys
import tarfile
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.bench.table import table  # noqa: E402
from tests.golden.models import rebuild  # noqa: E402
from tools.browser import chromium, console  # noqa: E402
from tools.common import DIST, WEB, copy_if_changed, fail, run, say, step  # noqa: E402
from tools.serve import Handler  # noqa: E402

HERE = Path(__file__).resolve().parent
BENCH = DIST / "bench"
PAGE = ["peers.html", "peers.js", "frame.html", "engines.js", "gl_meter.js"]
BACKENDS = {"webgl2": ["tfjs:webgl", "webkeras:webgl2"], "wasm": ["tfjs:wasm", "webkeras:wasm"]}  # a peer first
PEERS = {  # npm package: its integrity, and the members to take
    "@tensorflow/tfjs@4.22.0": (
        "0TrIrXs6/b7FLhLVNmfh8Sah6JgjBPH4mZ8JGb7NU6WW+cx00qK5BcAZxw7NCzxj6N8MRAIfHq+oNbPUNG5VAg==",
        ["dist/tf.min.js"],
    ),
    "@tensorflow/tfjs-backend-wasm@4.22.0": (
        "/IYhReRIp4jg/wYW0OwbbJZG8ON87mbz0PgkiP3CdcACRSvUN0h8rvC0O3YcDtkTQtFWF/tcXq/KlVDyV49wmA==",
        ["dist/tf-backend-wasm.min.js", "dist/tfjs-backend-wasm.wasm", "dist/tfjs-backend-wasm-simd.wasm",
         "dist/tfjs-backend-wasm-threaded-simd.wasm"],
    ),
}  # fmt: skip


def fetch_peers() -> None:
    """TF.js from npm into dist/bench/tfjs, checked against its published integrity; once."""
    folder, packed = BENCH / "tfjs", BENCH / "npm"
    packed.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    for package, (integrity, members) in PEERS.items():
        if all((folder / Path(member).name).exists() for member in members):
            continue
        say(f"npm: {package} ...")
        told = run("npm", "pack", "--silent", "--pack-destination", packed, package,
                   sentence=f"the peer {package} cannot be had from npm")  # fmt: skip
        file = packed / told.strip().splitlines()[-1]
        found = base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
        if found != integrity:
            fail(f"{package}: its sha512 is {found}, expected {integrity}")
        with tarfile.open(file) as archive:
            for member in members:
                source = archive.extractfile(f"package/{member}")
                assert source, member
                (folder / Path(member).name).write_bytes(source.read())
    shutil.rmtree(packed)


def lay_out(models: list[str]) -> None:
    """The page, the peers and the models into dist/bench."""
    fetch_peers()
    for name in PAGE:
        copy_if_changed(HERE / name, BENCH / name)
    for model in models:
        if model not in rebuild.names():
            fail(f"there is no golden model '{model}'; there are {', '.join(rebuild.names())}")
        sources = [rebuild.HERE / f"{model}{end}" for end in (".json", "_recipe.json", ".npz")]
        sources += [rebuild.HERE / "rebuild.py", rebuild.HERE / "weights.py"]
        made = BENCH / "models" / model / "io.json"
        step(f"rebuilding {model}", made, sources, lambda model=model: rebuild.rebuild(model, BENCH / "models"))


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
                results.append(body)
            if "done" in body:
                done.set()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def measure(page: str, limit: float) -> list[dict[str, Any]]:
    """Open the page in one headless Chromium and return its results."""
    results: list[dict[str, Any]] = []
    done = threading.Event()
    server = serve(results, done)
    try:
        with chromium("--disable-quic") as driver:
            driver.get(f"http://127.0.0.1:{server.server_port}/{page}")
            end = time.monotonic() + limit
            while not done.wait(5):
                _ = driver.title  # raises when the browser has died
                if time.monotonic() > end:
                    say("\n".join(console(driver)[-20:]))
                    fail(f"the page did not end within {limit:.0f} s")
            for line in console(driver):
                if line.startswith("SEVERE"):
                    say(f"  {line}")
    finally:
        server.shutdown()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="mnist_cnn,mobilenetv2,resnet50")
    parser.add_argument("--backends", default="webgl2,wasm")
    parser.add_argument("--engines", default="tfjs,webkeras")
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--limit", type=float, default=1800, metavar="SECONDS")
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--read", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.read:
        lines = [line for line in arguments.read.read_text().splitlines() if line.startswith("{")]
        print(table([json.loads(line) for line in lines]))
        return

    models, backends = arguments.models.split(","), arguments.backends.split(",")
    for backend in backends:
        if backend not in BACKENDS:
            fail(f"there is no backend '{backend}'; there are {', '.join(BACKENDS)}")
    wanted = arguments.engines.split(",")
    engines = [name for backend in backends for name in BACKENDS[backend] if name.split(":")[0] in wanted]
    if not (WEB / "webkeras.js").exists():
        say("dist/web is not built (./build.sh): only the peers are measured")
        engines = [name for name in engines if not name.startswith("webkeras")]
    if not engines:
        fail(f"nobody is left to measure: --engines {arguments.engines}, --backends {arguments.backends}")
    lay_out(models)
    page = f"bench/peers.html?models={','.join(models)}&engines={','.join(engines)}&n={arguments.n}"
    if arguments.threads:
        page += f"&threads={arguments.threads}"
    if arguments.prepare:
        print(f"serve {DIST.relative_to(ROOT)}/ cross-origin isolated and open {page}")
        return
    results = measure(page, arguments.limit)
    (BENCH / "results.json").write_text(json.dumps(results, indent=1))
    print(table(results))


if __name__ == "__main__":
    main()
