"""Deterministic numbers for goldens: the same bytes under every numpy, so that large random weights need not be stored.

The maker fills genuine Keras models with them and `rebuild.py` makes the very same arrays again without Keras.  They
come from a counter and a mixing function (splitmix64), seeded by a name; nothing depends on numpy's own generators,
whose streams may change.  Runs on Python 3.6 too, where the oldest Keras lives.
"""

import math
import zlib

import numpy as np


def uniform(name, shape, low=-1.0, high=1.0):
    """Return float32 numbers of `shape` in [low, high), a function of `name` and position alone."""
    count = int(np.prod(shape, dtype=np.int64))
    z = np.arange(1, count + 1, dtype=np.uint64)
    z *= np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64(zlib.crc32(name.encode()) * 0x100000001 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z ^= z >> np.uint64(shift)
        z *= np.uint64(factor)
    z ^= z >> np.uint64(31)
    unit = (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)  # 24 bits: exact in float32
    return (unit * np.float32(high - low) + np.float32(low)).reshape(shape)


def weight(name, shape):
    """Return the weight called `name` (as in Keras 2), scaled by its role: signals keep their size in deep models."""
    role = name.split("/")[-1].split(":")[0]
    if role == "gamma":
        return uniform(name, shape, 0.8, 1.2)
    if role == "moving_variance":
        return uniform(name, shape, 0.5, 1.5)
    if role in ("beta", "bias", "moving_mean"):
        return uniform(name, shape, -0.1, 0.1)
    if role == "embeddings":
        return uniform(name, shape)
    if role == "recurrent_kernel":
        limit = math.sqrt(3 / shape[0])  # the variance of an orthogonal matrix
    elif role == "depthwise_kernel":
        limit = math.sqrt(6 / (shape[0] * shape[1]))
    else:
        limit = math.sqrt(6 / np.prod(shape[:-1]))  # He
    return uniform(name, shape, -limit, limit)


def images(name, shape):
    """Return pictures in [0, 1): 7 x 7 blocks of colour with noise, which differ in the large and in the small."""
    n, h, w, c = shape
    rows, columns = np.arange(h) * 7 // h, np.arange(w) * 7 // w
    blocks = uniform(name + "/blocks", (n, 7, 7, c), 0, 0.75)[:, rows][:, :, columns]
    return blocks + uniform(name + "/noise", shape, 0, 0.25)


def tokens(name, shape, vocabulary):
    """Return whole numbers in [0, vocabulary) as float32."""
    return np.floor(uniform(name, shape, 0, 1) * np.float32(vocabulary)).astype(np.float32)
