"""A server for pages with webkeras, on loopback: right MIME types, cross-origin isolated, ranges, revalidated."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections: a page here is twenty files
    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".json": "application/json",
        ".wasm": "application/wasm",  # without it, the browser cannot compile while downloading
        ".buf": "application/octet-stream",
    }

    def end_headers(self) -> None:
        # Both are needed for shared memory (threads in WASM); everything here is of one origin anyway.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-cache")  # ask each time; an unchanged file is answered with 304
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def do_GET(self) -> None:
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        path = self.translate_path(self.path)
        if wanted is None or wanted.groups() == ("", "") or not os.path.isfile(path):
            super().do_GET()
        else:
            with open(path, "rb") as file:
                self.send_part(file, wanted[1], wanted[2])

    def send_part(self, file: BinaryIO, first: str, last: str) -> None:
        """Bytes first to last; "" first means the last so many."""
        size = os.fstat(file.fileno()).st_size
        start = int(first) if first else max(size - int(last), 0)
        end = min(int(last), size - 1) if first and last else size - 1
        if start > end:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206)
        self.send_header("Content-Type", self.guess_type(file.name))
        self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
        self.send_header("Content-Length", str(end - start + 1))
        self.end_headers()
        file.seek(start)
        while start <= end:
            part = file.read(min(1 << 20, end - start + 1))
            self.wfile.write(part)
            start += len(part)

    def copyfile(self, source: Any, outputfile: Any) -> None:
        with contextlib.suppress(ConnectionError):  # the browser may change its mind
            shutil.copyfileobj(source, outputfile)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[str]:
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


def serve_until_interrupted(folder: Path, port: int = 0) -> None:
    with serving(folder, port) as address, contextlib.suppress(KeyboardInterrupt):
        print(f"{address}/    (Ctrl-C ends)", flush=True)
        threading.Event().wait()
