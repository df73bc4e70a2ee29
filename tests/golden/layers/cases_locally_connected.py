"""Convolutions that share no weights, until Keras 2.15."""

from make_layers import one

FIRST = {"data_format": "channels_first"}
for cls, shape in (("LocallyConnected1D", (6, 3)), ("LocallyConnected2D", (4, 5, 2))):
    first = (shape[-1],) + shape[:-1]
    for n in (1, 2, 3):
        one(cls, shape, filters=2, kernel_size=2, implementation=n)
        one(cls, shape, filters=3, kernel_size=3, strides=2, use_bias=False, activation="relu", implementation=n)
        one(cls, first, filters=2, kernel_size=2, implementation=n, **FIRST)
    for n in (2, 3):
        one(cls, shape, filters=2, kernel_size=3, strides=2, padding="same", implementation=n)
