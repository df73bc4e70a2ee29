"""Image layers that Keras 3 runs at inference too: contrast stretched or equalised. Images are (n, h, w, c)."""

from __future__ import annotations

from typing import Any

from webkeras import ops
from webkeras.errors import ShapeError
from webkeras.graph import value
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.layout import channels_last
from webkeras.layers.read import data_format, number, wholes
from webkeras.layers.regularization import Augmentation

LEVELS = 256


def limits(v: Any) -> tuple[float, float]:
    """What black and white are."""
    low, high = (number(x) for x in v)
    return low, high


def rescaled(x: Any, was: tuple[float, float], becomes: tuple[float, float]) -> Any:
    """x from one range of values to another.

    Source: keras/src/layers/preprocessing/image_preprocessing/base_image_preprocessing_layer.py
    """
    if was == becomes:
        return x
    part = ops.divide(ops.subtract(x, was[0]), was[1] - was[0])
    return ops.add(ops.multiply(part, becomes[1] - becomes[0]), becomes[0])


@layer("AutoContrast")
class AutoContrast(Layer):
    """Every channel of every image stretched, so that it fills the range; one of a single value stays.

    Source: keras/src/layers/preprocessing/image_preprocessing/auto_contrast.py
    """

    value_range = key(limits, (0, 255))
    training = ("data_format", "factor")

    def call(self, x: Any) -> Any:
        if len(x.shape) != 4:
            raise ShapeError(f"the input is {tuple(x.shape)}; expected 4 axes: batch, height, width, channels")
        full = rescaled(x, self.value_range, (0.0, 255.0))
        low, high = (ops.reduce(full, fn=fn, axes=(1, 2)) for fn in ("min", "max"))
        flat = ops.equal(low, high)
        scale = ops.divide(255.0, ops.where(flat, 1.0, ops.subtract(high, low)))
        y = ops.subtract(ops.multiply(full, scale), ops.multiply(low, scale))
        y = rescaled(ops.minimum(ops.maximum(y, 0.0), 255.0), (0.0, 255.0), self.value_range)
        return ops.where(flat, x, y)


@layer("ContrastLimitedAdaptiveHistogramEqualization")
class ContrastLimitedAdaptiveHistogramEqualization(Layer):
    """CLAHE: every tile has a table of grey levels by rank, and a pixel is mixed from the tables of the four nearest.

    A level that more pixels have than clip_limit allows hands the rest to all levels.
    Source: keras/src/layers/preprocessing/image_preprocessing/clahe.py
    """

    value_range = key(limits, (0, 255))
    clip_limit = key(number, 4.0)
    tile_grid_size = key(lambda v: wholes(v, 2), (8, 8))
    data_format = key(data_format, "channels_last")
    training = ("factor",)

    @channels_last
    def call(self, x: Any) -> Any:
        (n, h, w, c), (rows, columns) = x.shape, self.tile_grid_size
        high, wide = -(-h // rows), -(-w // columns)
        if high * rows > 2 * h or wide * columns > 2 * w:
            raise ShapeError(f"images of {h} x {w} cannot be mirrored to {rows} x {columns} tiles; expected larger")
        x = rescaled(x, self.value_range, (0.0, 255.0))
        for axis, size, most in ((1, h, high * rows), (2, w, wide * columns)):
            at = [float(i if i < size else 2 * size - 1 - i) for i in range(most)]
            x = x if size == most else ops.take(x, at, axis=axis)
        levels = ops.minimum(ops.maximum(truncated(x), 0.0), 255.0)
        tiles = ops.reshape(levels, shape=(n, rows, high, columns, wide, c))
        tiles = ops.transpose(tiles, perm=(0, 1, 3, 5, 2, 4))
        tables = self.tables(ops.reshape(tiles, shape=(n * rows * columns * c, high * wide)))
        tables = ops.reshape(tables, shape=(n, rows, columns, c * LEVELS))
        y = self.mixed(levels, tables, high, wide)
        y = ops.slice_(y, begin=(0, 0, 0, 0), end=(n, h, w, c), step=(1, 1, 1, 1))
        return rescaled(y, (0.0, 255.0), self.value_range)

    def tables(self, tiles: Any) -> Any:
        """What becomes of every level: tiles (m, pixels) -> (m, 256)."""
        m, pixels = tiles.shape
        hot = ops.equal(ops.reshape(tiles, shape=(m, pixels, 1)), value([float(i) for i in range(LEVELS)]))
        counts = ops.reshape(ops.reduce(hot, fn="sum", axes=(1,)), shape=(m, LEVELS))
        if self.clip_limit > 0:
            kept = ops.minimum(counts, self.clip_limit * pixels / LEVELS)
            rest = ops.reduce(ops.subtract(counts, kept), fn="sum", axes=(1,))
            counts = ops.add(kept, ops.divide(rest, float(LEVELS)))
        below = value([[float(i <= j) for j in range(LEVELS)] for i in range(LEVELS)])
        ranks = ops.matmul(counts, below)
        least = ops.reduce(ranks, fn="min", axes=(1,))
        rest = ops.subtract(float(pixels), least)
        y = ops.divide(ops.multiply(ops.subtract(ranks, least), 255.0), ops.where(ops.equal(rest, 0.0), 1.0, rest))
        return ops.minimum(ops.maximum(y, 0.0), 255.0)

    def mixed(self, levels: Any, tables: Any, high: int, wide: int) -> Any:
        """levels (n, h, w, c) by tables (n, rows, columns, 256 c), between the middles of the tiles."""
        (n, h, w, c), (_, rows, columns, _) = levels.shape, tables.shape
        image = ops.multiply(value([float(i) for i in range(n)]), float(rows * columns * c * LEVELS))
        channel = ops.add(ops.multiply(value([float(i) for i in range(c)]), float(LEVELS)), levels)
        base = ops.add(channel, ops.reshape(image, shape=(n, 1, 1, 1)))
        flat = ops.reshape(tables, shape=(n * rows * columns * c * LEVELS, 1))
        down, right = places(h, high, rows), places(w, wide, columns)
        total: Any = 0.0
        for tile_rows, y_parts in down:
            for tile_columns, x_parts in right:
                row = value([[[i * columns * c * LEVELS]] for i in tile_rows])
                at = ops.add(ops.add(base, row), value([[j * c * LEVELS] for j in tile_columns]))
                found = ops.reshape(ops.take(flat, at, axis=0), shape=(n, h, w, c))
                part = ops.multiply(value([[[p]] for p in y_parts]), value([[p] for p in x_parts]))
                total = ops.add(total, ops.multiply(found, part))
        return total


def places(n: int, size: int, count: int) -> list[tuple[list[float], list[float]]]:
    """The tile before and the tile behind each of n pixels, tiles of `size`; and how much of each to take."""
    at = [(i - size / 2) / size for i in range(n)]
    before = [int(a + 1) - 1 for a in at]
    parts = [a - b for a, b in zip(at, before, strict=True)]
    sides = [(before, [1 - p for p in parts]), ([b + 1 for b in before], parts)]
    return [([float(min(max(b, 0), count - 1)) for b in tiles], weights) for tiles, weights in sides]


def truncated(x: Any) -> Any:
    """x without its fraction, towards 0."""
    return ops.multiply(ops.sign(x), ops.floor(ops.absolute(x)))


@layer("MaxNumBoundingBoxes")
class MaxNumBoundingBoxes(Augmentation):
    """Images as they are; the boxes that may come beside them in a dict are refused.

    Source: keras/src/layers/preprocessing/image_preprocessing/max_num_bounding_box.py
    """

    training = (*Augmentation.training, "max_number", "bounding_box_format")
