"""webkeras: trained Keras models of every version, in the browser, from Python."""

from webkeras.backends import available as backends
from webkeras.errors import (
    BackendError,
    ConfigError,
    DeviceLost,
    FunctionError,
    NoBackend,
    ShaderError,
    ShapeError,
    WebKerasError,
    WeightsError,
)
from webkeras.fetch import fetch_model
from webkeras.layers import Cell, Layer, key, layer
from webkeras.loading import load_model
from webkeras.model import Model


def preload() -> None:
    """Import and read all that a page needs, so that a memory snapshot taken afterwards holds it."""
    import webkeras.backends.reference
    import webkeras.backends.webgl2.context
    import webkeras.page  # noqa: F401
    from webkeras.backends.wasm import module
    from webkeras.backends.webgl2 import glsl

    glsl.preload()
    module.preload()


__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "Cell",
    "ConfigError",
    "DeviceLost",
    "FunctionError",
    "Layer",
    "Model",
    "NoBackend",
    "ShaderError",
    "ShapeError",
    "WebKerasError",
    "WeightsError",
    "backends",
    "fetch_model",
    "key",
    "layer",
    "load_model",
]
