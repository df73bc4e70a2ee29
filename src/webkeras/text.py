"""JSON from files that nobody vouches for."""

from __future__ import annotations

import json
import re
from typing import Any

from webkeras.errors import WebKerasError

DEEPEST = 300  # brackets; a model's file has a few dozen
ESCAPED = re.compile(rb"\\.", re.DOTALL)
BUT_BRACKETS = bytes({*range(256)} - {*b"[]{}"})


def loads(text: str | bytes, file: str, error: type[WebKerasError], expected: str) -> Any:
    """What a JSON text says; `error`, naming the file, where it is none or nests too deep to be one of ours."""
    if nests(text):
        raise error(f"{file}: not JSON of ours (it nests too deep); expected {expected}")
    try:
        return json.loads(text)
    except ValueError as e:
        raise error(f"{file}: not JSON ({e}); expected {expected}") from None


def nests(text: str | bytes) -> bool:
    """Whether JSON nests deeper than DEEPEST, or would if it were whole: the parser calls itself, and in a page that
    ends with the stack of JavaScript instead of a RecursionError."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if raw.count(b"[") + raw.count(b"{") <= DEEPEST:
        return False
    parts = ESCAPED.sub(b"", raw).split(b'"')  # every other one is a string
    left = b"".join(parts[::2]).translate(None, BUT_BRACKETS)
    for _ in range(DEEPEST):
        if len(left) <= DEEPEST:
            return False
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    return True


def short(x: Any) -> str:
    """repr(x), cut where it is too long for a sentence."""
    found = repr(x)
    return found if len(found) <= 100 else f"{found[:100]}..."
