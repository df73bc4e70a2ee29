"""Models by URL, for Python in a browser: `await webkeras.fetch_model(...)`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webkeras.errors import NoBackend, WebKerasError
from webkeras.model import Model, load_model


@dataclass(frozen=True)
class JsBuffer:
    """Bytes that stay in JavaScript's hands: a Uint8Array."""

    js: Any

    @property
    def nbytes(self) -> int:
        return int(self.js.length)

    def read(self, offset: int, nbytes: int) -> bytes:
        """A copy of some of it, for whoever needs it in Python."""
        taken: bytes = self.js.subarray(offset, offset + nbytes).to_bytes()
        return taken

    def part(self, offset: int, nbytes: int) -> JsBuffer:
        """A range of it; nothing is copied."""
        return JsBuffer(self.js.subarray(offset, offset + nbytes))


async def fetch(url: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes behind a URL, relative to the page. Raises WebKerasError, naming the file."""
    try:
        from pyodide.http import pyfetch
    except ImportError:
        raise NoBackend("webkeras.fetch_model needs a browser; here, use webkeras.load_model") from None
    name = url.split("?")[0].split("/")[-1]
    try:
        answer = await pyfetch(url, headers=dict(headers or {}))
    except Exception as e:
        words = str(e).removeprefix("TypeError: ").split("\n")[0]
        raise WebKerasError(f"{name}: cannot be fetched ({words}); may this page read {url}?") from None
    if not answer.ok:
        raise WebKerasError(f"{name}: the server answers {answer.status} {answer.status_text}".rstrip() + f" ({url})")
    data: bytes = await answer.bytes()
    return data


async def fetch_model(
    url: str,
    *,
    weights: str | None = None,
    metadata: str | None = None,
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> Model:
    """`load_model` for URLs: all files are fetched at once; further options are those of `load_model`.

    Raises WebKerasError where a file cannot be fetched, and whatever load_model raises.
    """
    urls = [url, weights, metadata]
    found = dict(zip(urls, await asyncio.gather(*(fetch(u, headers) for u in urls if u)), strict=False))
    source = found.pop(url)
    return load_model(source, weights=found.get(weights), metadata=found.get(metadata), **options)
