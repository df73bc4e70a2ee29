"""Pooling over windows, over whole images, and to a given size."""

from make_layers import one

SHAPES = {1: (7, 3), 2: (5, 6, 3), 3: (4, 5, 3, 2)}

for rank, shape in SHAPES.items():
    first = (shape[-1],) + shape[:-1]
    for kind in ("Max", "Average"):
        pool = "%sPooling%dD" % (kind, rank)
        one(pool, shape, pool_size=2)
        one(pool, shape, pool_size=(3, 2, 2)[:rank], strides=(1, 2, 1)[:rank])
        one(pool, shape, pool_size=3, strides=2, padding="same")
        one(pool, shape, pool_size=2, strides=3, padding="same")
        # TensorFlow on a CPU lets windows over 3 axes begin too late here
        one(pool, (6, 4, 5)[:rank] + (2,), pool_size=1, strides=3, padding="same", only=3)
        # TensorFlow on a CPU pools channels_last only
        one(pool, first, pool_size=3, strides=2, padding="same", data_format="channels_first", only=3)
        one("Global" + pool, shape)
        one("Global" + pool, shape, keepdims=True)
        one("Global" + pool, first, keepdims=True, data_format="channels_first")
        one("Global" + pool, first, data_format="channels_first")
        adaptive = "Adaptive" + pool
        one(adaptive, shape, output_size=2)
        one(adaptive, (4, 6, 2)[:rank] + (3,), output_size=2)
        one(adaptive, shape, output_size=(3, 4, 1)[:rank])
        one(adaptive, first, output_size=1, data_format="channels_first")

one("GlobalAveragePooling1D", (6, 3), mask=True)
one("GlobalAveragePooling1D", (6, 3), mask=True, keepdims=True)
one("GlobalMaxPooling1D", (6, 3), mask=True)
