"""Layers of several inputs."""

import numpy as np
from make_layers import model, one

for cls in ("Add", "Average", "Maximum", "Minimum", "Multiply"):
    one(cls, (4, 3), (4, 3))
    one(cls, (4, 3), (1, 3), (4, 1))
    one(cls, (4, 2, 3), (3,), (2, 3))
one("Subtract", (4, 3), (4, 3))
one("Subtract", (4, 3), (1, 3))
one("Concatenate", (4, 3), (4, 2))
one("Concatenate", (4, 3), (2, 3), (1, 3), axis=1)
one("Concatenate", (2, 4, 3), (2, 1, 3), axis=-2)
one("Dot", (4,), (4,), axes=1)
one("Dot", (4,), (4,), axes=-1, normalize=True)
one("Dot", (4, 3), (5, 3), axes=2)
one("Dot", (4, 3), (2, 4), axes=(1, 2))
one("Dot", (4, 3), (5, 3), axes=(2, 2), normalize=True)
one("Dot", (4, 3), (4,), axes=1)
one("Dot", (3,), (4, 3), axes=(1, 2))
one("Dot", (2, 4, 3), (3, 5), axes=(3, 1))
one("Dot", (2, 4, 3), (5, 3, 2), axes=(1, 3))

for mode in ("sum", "mul", "ave", "max", "concat"):  # Keras 2.1.2 keeps it
    one("Merge", (4, 3), (4, 3), mode=mode, only=2)
for mode in ("dot", "cos"):
    one("Merge", (4,), (4,), mode=mode, dot_axes=(1, 1), only=2)
    one("Merge", (4, 3), (4, 3), mode=mode, dot_axes=(2, 2), only=2)
one("Merge", (4, 3), (2, 3), mode="concat", concat_axis=1, only=2)


def ended(r):
    """Two sequences that end in zeros after different lengths."""
    xs = [np.round(r.normal(size=(2, 5, 3)) * 64) / 64 for _ in range(2)]
    xs[0][0, 3:] = xs[1][0, 2:] = xs[1][1, 4:] = 0
    return [x.astype("float32") for x in xs]


def masked(cls, both, **config):
    @model(cls, "masks,%s%s" % ("both" if both else "first only", config or ""), (5, 3), (5, 3), feed=ended)
    def merged(L, a, b):
        y = getattr(L, cls)(**config)([L.Masking()(a), L.Masking()(b) if both else b])
        return L.GlobalAveragePooling1D()(y)


for cls in ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply"):
    masked(cls, True)
    masked(cls, False)
masked("Concatenate", True, axis=1)
