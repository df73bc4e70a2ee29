"""Layers, written once: config keys, weights and ops, one module per Keras family."""

from webkeras.layers import (
    activation,
    convolution,
    core,
    merging,
    normalization,
    pooling,
    recurrent,
    reshaping,
    wrapper,
)
from webkeras.layers.base import LAYERS, Layer, key, layer, make

__all__ = [
    "LAYERS",
    "Layer",
    "activation",
    "convolution",
    "core",
    "key",
    "layer",
    "make",
    "merging",
    "normalization",
    "pooling",
    "recurrent",
    "reshaping",
    "wrapper",
]
