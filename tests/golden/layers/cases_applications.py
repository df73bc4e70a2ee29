"""Layers that only models of keras.applications have."""

import importlib

import keras
from make_layers import one

for module, names in {"convnext": ("LayerScale", "StochasticDepth"), "inception_resnet_v2": ("CustomScaleLayer",)}.items():
    for name in names:
        try:
            found = getattr(importlib.import_module("keras.src.applications." + module), name)
        except ImportError:  # Keras 2.1.2 has neither
            continue
        setattr(keras.layers, name, found)

one("LayerScale", (3, 4, 5), init_values=0.5, projection_dim=5)
one("LayerScale", (6,), init_values=1e-6, projection_dim=6)
one("StochasticDepth", (3, 4), drop_path_rate=0.3)
one("CustomScaleLayer", (3, 4, 5), (3, 4, 5), scale=0.17)
one("CustomScaleLayer", (4,), (4,), scale=1.0)
