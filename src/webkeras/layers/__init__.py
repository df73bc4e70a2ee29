"""Layers, written once: config keys, weights and ops, one module per Keras family."""

from webkeras.layers import (
    activation,
    attention,
    cells,
    convolution,
    convolutional_recurrent,
    core,
    keras1,
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
from webkeras.layers.cells import Cell

__all__ = [
    "LAYERS",
    "Cell",
    "Layer",
    "activation",
    "attention",
    "cells",
    "convolution",
    "convolutional_recurrent",
    "core",
    "keras1",
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
