"""Models by URL, for Python in a browser: `await webkeras.fetch_model(...)`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webkeras.errors import ConfigError, NoBackend, WebKerasError
from webkeras.model import Model, load_model


@dataclass(frozen=True)
class JsBuffer:
    """An ArrayBuffer that stays in JavaScript's hands."""

    js: Any
    nbytes: int

    def read(self, offset: int, nbytes: int) -> bytes:
        """A copy of some of it, for whoever needs it in Python."""
        from js import Uint8Array

        taken: bytes = Uint8Array.new(self.js, offset, nbytes).to_bytes()
        return taken

    def text(self, file: str) -> str:
        """All of it as text. Raises ConfigError, naming the file."""
        try:
            return self.read(0, self.nbytes).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ConfigError(f"{file}: is not text; expected the JSON that Keras or the encoder wrote") from None


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
