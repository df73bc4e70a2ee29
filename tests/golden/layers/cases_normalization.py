"""Normalisation layers."""

from make_layers import model, one

one("BatchNormalization", (4, 3))
one("BatchNormalization", (4, 3), axis=1, epsilon=0.01)
one("BatchNormalization", (3, 4, 5), axis=1, scale=False)
one("BatchNormalization", (3, 4, 2, 2), center=False)
one("BatchNormalization", (3,), center=False, scale=False)
one("LayerNormalization", (4, 3))
one("LayerNormalization", (4, 3), axis=1, epsilon=0.01)
one("LayerNormalization", (4, 3, 2), axis=(2, 3), scale=False)
one("LayerNormalization", (4, 3, 2), axis=(1, 3), center=False)
one("LayerNormalization", (4, 3, 2), axis=(-3, -2, -1))
one("LayerNormalization", (4, 3), center=False, scale=False)
one("LayerNormalization", (4, 3), rms_scaling=True, only=3)
one("GroupNormalization", (4, 6), groups=3)
one("GroupNormalization", (4, 3, 6), groups=2, epsilon=0.01, scale=False)
one("GroupNormalization", (6, 3, 4), groups=3, axis=1, center=False)
one("GroupNormalization", (4, 3), groups=-1)
one("RMSNormalization", (4, 3))
one("RMSNormalization", (4, 3, 2), axis=(2, 3), epsilon=0.01)  # Keras broadcasts the scale from the right only
one("UnitNormalization", (4, 3))
one("UnitNormalization", (4, 3), axis=1)
one("UnitNormalization", (4, 3, 2), axis=(1, 2))


@model("SpectralNormalization", "Dense", (5,))
def dense(L, x):
    return L.SpectralNormalization(L.Dense(3))(x)


@model("SpectralNormalization", "Conv2D", (5, 4, 2))
def conv(L, x):
    return L.SpectralNormalization(L.Conv2D(3, 2), power_iterations=2)(x)


@model("SpectralNormalization", "Embedding", (5,), ints=4)
def embedding(L, x):
    return L.SpectralNormalization(L.Embedding(4, 3))(x)
