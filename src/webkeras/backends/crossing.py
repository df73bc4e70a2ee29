"""What crosses between Python and JavaScript, the same for every backend that lives there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from webkeras.errors import NoBackend


def buffers(held: Iterable[Any]) -> Any:
    """Weight buffers as a JavaScript array; one that JavaScript holds stays where it is, bytes are copied over once."""
    from pyodide.ffi import to_js

    return to_js([b.js if hasattr(b, "js") else to_js(memoryview(b.data)) for b in held])


async def arrived(held: Iterable[Any]) -> None:
    """Wait for those weight buffers that are still on their way. Raises WeightsError where they are not as expected."""
    for b in held:
        if hasattr(b, "arrived"):
            await b.arrived()


def feeds(arrays: Mapping[str, Any]) -> Any:
    """Flat float32 inputs as a JavaScript object by name; what is JavaScript's already is not touched."""
    from js import Object
    from pyodide.ffi import JsProxy, to_js

    pairs = [[k, x if isinstance(x, JsProxy) else to_js(memoryview(x))] for k, x in arrays.items()]
    return Object.fromEntries(to_js(pairs))


def outputs(given: Any) -> dict[str, Any]:
    """A JavaScript object by name as a dict; its arrays stay JavaScript's."""
    from js import Object

    return {pair[0]: pair[1] for pair in Object.entries(given)}


def script(name: str, text: str) -> None:
    """Run one of the wheel's own scripts, which the page has not, after common.js.

    Raises NoBackend where the page's policy forbids it.
    """
    import js
    from pyodide.code import run_js

    try:
        if not hasattr(js, "webkerasCommon"):
            run_js((resources.files(__package__) / "common.js").read_text())
        run_js(text)
    except Exception:  # a JsException of EvalError's
        why = f"the page's Content-Security-Policy forbids it; load common.js and {name} by script tags before"
        raise NoBackend(why) from None


def words(e: Exception) -> str:
    """What a JavaScript error says, without its class and its stack."""
    return str(e).split("\n")[0].removeprefix("Error: ").removeprefix("RangeError: ")
