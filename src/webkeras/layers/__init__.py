"""Layers, written once: config keys, weights and ops, one module per Keras family."""

from webkeras.layers import (
    activation,
    attention,
    convolution,
    convolutional_recurrent,
    core,
    locally_connected,
    merging,
    normalization,
    pooling,
    preprocessing,
    recurrent,
    regularization,
    reshaping,
    spectrogram,
    wrapper,
)
from webkeras.layers.base import LAYERS, Layer, key, layer, make

__all__ = [
    "LAYERS",
    "Layer",
    "activation",
    "attention",
    "convolution",
    "convolutional_recurrent",
    "core",
    "key",
    "layer",
    "locally_connected",
    "make",
    "merging",
    "normalization",
    "pooling",
    "preprocessing",
    "recurrent",
    "regularization",
    "reshaping",
    "spectrogram",
    "wrapper",
]
