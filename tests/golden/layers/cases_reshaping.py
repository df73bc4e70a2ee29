"""Layers that move elements."""

from make_layers import one

one("Flatten", (3, 4, 2))
one("Flatten", (3, 4, 2), data_format="channels_first")
one("Flatten", (3,))
one("Permute", (3, 4, 2), dims=(3, 1, 2))
one("RepeatVector", (4,), n=3)
one("Reshape", (3, 4), target_shape=(2, -1, 3))
one("Reshape", (3, 4), target_shape=(12,))
for rank, shape in {1: (6, 3), 2: (5, 6, 2), 3: (5, 6, 5, 2)}.items():
    first = (shape[-1],) + shape[:-1]
    pairs = ((1, 2), (0, 1), (2, 1))[:rank]
    for cls, name in (("Cropping", "cropping"), ("ZeroPadding", "padding")):
        cls = "%s%dD" % (cls, rank)
        one(cls, shape)
        one(cls, shape, **{name: 2})
        one(cls, shape, **{name: pairs[0] if rank == 1 else pairs})
        if rank > 1:
            one(cls, shape, **{name: (1, 2, 0)[:rank]})
            one(cls, first, **{name: pairs, "data_format": "channels_first"})
    one("UpSampling%dD" % rank, shape)
    one("UpSampling%dD" % rank, shape, size=3)
    if rank > 1:
        one("UpSampling%dD" % rank, shape, size=(1, 3, 2)[:rank])
        one("UpSampling%dD" % rank, first, size=(1, 3, 2)[:rank], data_format="channels_first")
for mode in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
    one("UpSampling2D", (3, 4, 2), size=(2, 3), interpolation=mode)
for mode in ("area", "gaussian", "mitchellcubic"):
    one("UpSampling2D", (3, 4, 2), size=(2, 3), interpolation=mode, only=2)
one("ZeroPadding1D", (2, 6), padding=2, data_format="channels_first", only=3)
