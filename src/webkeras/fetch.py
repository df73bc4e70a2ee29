"""Models by URL, for Python in a browser: `await webkeras.fetch_model(...)`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin

from webkeras import files
from webkeras.buffer import HostBuffer, exactly
from webkeras.errors import NoBackend, WebKerasError, WeightsError
from webkeras.loading import assembled
from webkeras.model import Model


@dataclass(frozen=True)
class JsBuffer:
    """Bytes that stay in JavaScript's hands: a Uint8Array."""

    js: Any

    @property
    def nbytes(self) -> int:
        return int(self.js.length)

    def expect(self, nbytes: int, file: str) -> None:
        exactly(nbytes, self.nbytes, file)

    def read(self, offset: int, nbytes: int) -> bytes:
        """A copy of some of it, for whoever needs it in Python."""
        taken: bytes = self.js.subarray(offset, offset + nbytes).to_bytes()
        return taken

    def part(self, offset: int, nbytes: int) -> JsBuffer:
        """A range of it; nothing is copied."""
        return JsBuffer(self.js.subarray(offset, offset + nbytes))

    def followed(self, others: Sequence[JsBuffer]) -> JsBuffer:
        """This and others in one piece: a copy, by JavaScript."""
        whole, at = self.js.constructor.new(sum(b.nbytes for b in (self, *others))), 0
        for b in (self, *others):
            whole.set(b.js, at)
            at += b.nbytes
        return JsBuffer(whole)


class Coming:
    """Bytes that are on their way: a model can be planned, and its programs compiled, before its weights are here.

    Until they have `arrived` they cannot be read, only expected.
    """

    def __init__(self, promise: Any) -> None:
        """A JavaScript promise of a Uint8Array, whose `at` says when they came (performance.now())."""
        self.promise = promise
        self.here: JsBuffer | None = None
        self.expected: tuple[int, str] | None = None
        self.waited = 0.0  # milliseconds

    async def arrived(self) -> None:
        """Wait for them. Raises WeightsError where they are not what was expected, or what the promise rejects with."""
        if self.here is None:
            from js import performance

            start = performance.now()
            self.here = JsBuffer(await self.promise)
            self.waited = max(0.0, self.promise.at - start)
        if self.expected:
            self.here.expect(*self.expected)

    def expect(self, nbytes: int, file: str) -> None:
        self.expected = nbytes, file

    def _now(self) -> JsBuffer:
        if self.here is None:
            raise WeightsError(f"{self.expected[1] if self.expected else 'weights'}: read before they are here")
        return self.here

    @property
    def js(self) -> Any:
        return self._now().js

    @property
    def nbytes(self) -> int:
        return self._now().nbytes

    def read(self, offset: int, nbytes: int) -> bytes:
        return self._now().read(offset, nbytes)

    def part(self, offset: int, nbytes: int) -> JsBuffer:
        return self._now().part(offset, nbytes)

    def followed(self, others: Sequence[JsBuffer]) -> JsBuffer:
        return self._now().followed(others)


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
    """`load_model` for URLs: all files are fetched at once, those that they name after them; further options are those
    of `load_model`.

    Raises WebKerasError where a file cannot be fetched, and whatever load_model raises.
    """
    urls = {k: u for k, u in {"model": url, "weights": weights, "metadata": metadata}.items() if u}
    given = {k: await f for k, f in {k: asyncio.ensure_future(_file(u, headers)) for k, u in urls.items()}.items()}
    beside: dict[str, str] = {}
    for kind, names in files.named(given).items():
        beside |= {name: urljoin(urls[kind], quote(name)) for name in names}
    parts = await asyncio.gather(*(_file(u, headers) for u in beside.values()))
    return assembled(given, {n: f.buffer for n, f in zip(beside, parts, strict=True)}, **options)


async def _file(url: str, headers: Mapping[str, str] | None) -> files.File:
    return files.File(HostBuffer(await fetch(url, headers)), url.split("?")[0].split("/")[-1])
