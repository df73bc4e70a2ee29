"""Every error webkeras raises on purpose.

    WebKerasError
    ├── ConfigError        the JSON: unknown layer, unknown key, unreadable graph
    ├── WeightsError       the bytes: short, long, overlapping, wrong shape
    ├── ShapeError         a layer or op was given shapes it cannot take
    ├── FunctionError      a custom function failed, or gave what does not fit
    └── BackendError
        ├── NoBackend      nothing usable here; says what was tried and why not
        ├── ShaderError    file:line, the source line, the driver's words
        └── DeviceLost     the GPU context is gone; prepare again

A message is one sentence: who, what was found, what was expected, what to do.
"""


MOST = 1500  # characters of a sentence


class WebKerasError(Exception):
    """Root of the tree; `except webkeras.WebKerasError` catches all of it.

    A sentence quotes files, which may say anything at any length: of a longer one the middle is left out.
    """

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence if len(sentence) <= MOST else f"{sentence[: MOST - 300]} ... {sentence[-200:]}")


class ConfigError(WebKerasError):
    """The architecture cannot be read: unknown layer, unknown key, unreadable graph."""


class WeightsError(WebKerasError):
    """The weights do not fit: short, long, overlapping, of an unknown type or a wrong shape."""


class ShapeError(WebKerasError):
    """A layer or op was given shapes it cannot take."""


class FunctionError(WebKerasError):
    """A custom function of the page's failed, or gave other numbers than its layer's output takes."""


class BackendError(WebKerasError):
    """A backend cannot do what was asked of it."""


class NoBackend(BackendError):
    """No backend is usable here; the message says what was tried and why not."""


class ShaderError(BackendError):
    """A shader does not compile; the message names file and line."""


class DeviceLost(BackendError):
    """The GPU context was lost; it comes back by preparing again."""
