"""`site`: dist/web and a few tiny models on loopback, by a server that can be told to misbehave and remembers."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from selenium.webdriver import Chrome

from tests.browser.pages import Page
from tools.common import WEB
from tools.serve import Handler

PAGE = b"""<!doctype html><title>test</title><script src="/webkeras.js"></script>"""
MODULE_PAGE = b"""<!doctype html><title>test</title>"""

# y = relu(x @ KERNEL + BIAS) @ OUT, written down by hand so that the tests can say what must come out.
KERNEL = [[1.0, 0.0, -1.0], [0.0, 2.0, 1.0]]
BIAS = [0.5, -1.0, 0.0]
OUT = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]


def dense(name: str, units: int, activation: str, **more: Any) -> dict[str, Any]:
    config = {"name": name, "units": units, "activation": activation, "use_bias": name == "hidden", **more}
    return {"class_name": "Dense", "config": config}


def model_json(**changes: Any) -> bytes:
    first = dense("hidden", 3, "relu", batch_input_shape=[None, 2])
    layers = [first, {"class_name": "Dropout", "config": {"name": "drop", "rate": 0.5}}, dense("answer", 2, "linear")]
    config = {"name": "two", "layers": layers, **changes}
    return json.dumps({"class_name": "Sequential", "keras_version": "2.15.0", "config": config}).encode()


def flat(*tensors: Any) -> bytes:
    numbers: list[float] = []

    def walk(x: Any) -> None:
        if isinstance(x, list):
            for v in x:
                walk(v)
        else:
            numbers.append(x)

    walk(list(tensors))
    return struct.pack(f"<{len(numbers)}f", *numbers)


def metadata(*rows: tuple[str, str, list[int]]) -> bytes:
    entries, offset = [], 0
    for layer, weight, shape in rows:
        length = 1
        for d in shape:
            length *= d
        entries.append({"layer_name": layer, "weight_name": f"{layer}/{weight}:0", "offset": offset,
                        "length": length, "shape": shape, "type": "float32"})  # fmt: skip
        offset += 4 * length
    return json.dumps(entries).encode()


WEIGHTS = flat(KERNEL, BIAS, OUT)
METADATA = metadata(("hidden", "kernel", [2, 3]), ("hidden", "bias", [3]), ("answer", "kernel", [3, 2]))
FILES = {
    "/page.html": PAGE,
    "/module.html": MODULE_PAGE,
    "/deep/er/page.html": PAGE,
    "/m.json": model_json(),
    "/m.buf": WEIGHTS,
    "/m_metadata.json": METADATA,
    "/short.buf": WEIGHTS[:-4],
    "/unknown.json": model_json(
        layers=[{"class_name": "Wobble", "config": {"name": "w", "batch_input_shape": [None, 2]}}]
    ),
    "/double.json": model_json(name="double"),
    "/double.buf": flat([[2 * v for v in row] for row in KERNEL], BIAS, OUT),
    "/notjson.json": b"<html>",
}


class SiteHandler(Handler):
    def do_GET(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]
        path = self.path.split("?")[0]
        site.requests.append((path, dict(self.headers)))
        if path in site.released:
            site.released[path].set()
        if path in site.held and not site.held[path].wait(20):
            return self.send_error(503, "held for too long")
        data = site.files.get(path)
        if data is None:
            return super().do_GET()
        etag = f'"{hash(data)}"'
        unchanged = self.headers.get("If-None-Match") == etag
        self.send_response(304 if unchanged else 200)
        self.send_header("ETag", etag)
        self.send_header("Content-Type", self.guess_type(path))
        if not unchanged:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if not unchanged:
            self.wfile.write(data)

    def do_OPTIONS(self) -> None:
        self.send_response(204)
        self.send_header("Access-Control-Allow-Headers", "*")
        self.end_headers()

    def end_headers(self) -> None:
        for name, value in self.server.site.headers.items():  # type: ignore[attr-defined]
            self.send_header(name, value)
        super().end_headers()


class Site(Page):
    """A tab, and the server it talks to."""

    def __init__(self, driver: Chrome) -> None:
        self.files = dict(FILES)
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.held: dict[str, threading.Event] = {}  # by path: an answer waits until it is set
        self.released: dict[str, threading.Event] = {}  # by path: a request sets it
        self.start()
        super().__init__(driver, self.address)

    def start(self, port: int = 0) -> None:
        def handler(*args: Any) -> SiteHandler:
            return SiteHandler(*args, directory=str(WEB))

        self.server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.server.daemon_threads = True
        self.server.site = self  # type: ignore[attr-defined]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def asked(self, path: str) -> list[dict[str, str]]:
        """The headers of every request for a path."""
        return [headers for p, headers in self.requests if p == path]


@pytest.fixture
def site(chromium_driver: Chrome) -> Iterator[Site]:
    chromium_driver.get("about:blank")
    made = Site(chromium_driver)
    yield made
    chromium_driver.get("about:blank")
    made.stop()
