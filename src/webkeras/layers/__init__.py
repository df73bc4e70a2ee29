"""Layers, written once: config keys, weights and ops, one module per Keras family."""

from webkeras.layers import activation, convolution, core, merging, normalization, pooling, reshaping
from webkeras.layers.base import LAYERS, Layer, key, layer

__all__ = [
    "LAYERS",
    "Layer",
    "activation",
    "convolution",
    "core",
    "key",
    "layer",
    "merging",
    "normalization",
    "pooling",
    "reshaping",
]
