"""Serves a folder on loopback as webkeras likes to be served: right MIME types, cross-origin isolated, revalidated.

python -m tools.serve [FOLDER] [PORT]
"""

import contextlib
import functools
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tools.common import WEB


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections: a page here is twenty files
    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".json": "application/json",
        ".wasm": "application/wasm",  # without it, the browser cannot compile while downloading
    }

    def end_headers(self) -> None:
        # Both are needed for shared memory (threads in WASM); everything here is of one origin anyway.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-cache")  # ask each time; an unchanged file is answered with 304
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def serving(folder: Path = WEB, port: int = 0) -> Iterator[str]:
    """Serve the folder while the context lasts; gives the address, without a slash at its end."""
    handler = functools.partial(Handler, directory=str(folder))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:  # the port is taken: any other
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def serve_until_interrupted(folder: Path = WEB, port: int = 0) -> None:
    with serving(folder, port) as address, contextlib.suppress(KeyboardInterrupt):
        print(f"{address}/    (Ctrl-C ends)", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else WEB
    serve_until_interrupted(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
