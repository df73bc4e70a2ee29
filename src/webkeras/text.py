"""JSON from files that nobody vouches for."""

from __future__ import annotations

import json
from typing import Any

from webkeras.errors import WebKerasError


def loads(text: str | bytes, file: str, error: type[WebKerasError], expected: str) -> Any:
    """What a JSON text says; `error`, naming the file, where it is none or nests too deep to be one of ours."""
    try:
        return json.loads(text)
    except RecursionError:
        raise error(f"{file}: not JSON of ours (it nests too deep); expected {expected}") from None
    except ValueError as e:
        raise error(f"{file}: not JSON ({e}); expected {expected}") from None


def short(x: Any) -> str:
    """repr(x), cut where it is too long for a sentence."""
    found = repr(x)
    return found if len(found) <= 100 else f"{found[:100]}..."
