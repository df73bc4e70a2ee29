"""Preprocessing of numbers and images that a model may carry in front.

Images are (n, h, w, c); with data_format channels_first, axes move, meaning does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webkeras import ops
from webkeras.errors import ConfigError, ShapeError
from webkeras.graph import value
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.interpolation import MODES, interpolate
from webkeras.layers.layout import channels_last
from webkeras.layers.normalization import along, wrapped
from webkeras.layers.read import anything, boolean, data_format, one_of, optional, whole
from webkeras.shapes import Shape
from webkeras.shapes import axes as positive
from webkeras.version import Version


def numbers(v: Any) -> Any:
    """A number or nested lists of them; Keras 3 wraps arrays: {"class_name": "__numpy__", "config": {"value": ...}}."""
    if isinstance(v, Mapping) and v.get("class_name") in ("__numpy__", "__tensor__"):
        v = v["config"]["value"]
    return [numbers(x) for x in v] if isinstance(v, list | tuple) else float(v)  # an adapted vocabulary is text


@layer("Rescaling")
class Rescaling(Layer):
    """x * scale + offset; a mask goes on since Keras 3.

    Source: keras/src/layers/preprocessing/rescaling.py
    """

    mask = "use"
    scale = key(numbers)
    offset = key(numbers, 0.0)

    def compute_mask(self, x: Any, mask: Any) -> Any:
        return mask if self.dialect == 3 else None

    def call(self, x: Any, mask: Any = None) -> Any:
        return ops.add(ops.multiply(x, constant(self.scale)), constant(self.offset))


def constant(v: Any) -> Any:
    return v if isinstance(v, float) else value(v)


@layer("Normalization")
class Normalization(Layer):
    """(x - mean) / standard deviation, each as the axes to keep say; with invert, the way back.

    mean and variance are in the config or, where Keras adapted them, weights. A mask goes on since Keras 3.
    Source: keras/src/layers/preprocessing/normalization.py
    """

    mask = "use"
    axis = key(lambda v: [] if v is None else v, -1)
    mean = key(optional(numbers), None)
    variance = key(optional(numbers), None)
    invert = key(boolean, False)

    def compute_mask(self, x: Any, mask: Any) -> Any:
        return mask if self.dialect == 3 else None

    def kept(self, ndim: int) -> tuple[int, ...]:
        return positive(self.axis, ndim)

    def build(self, x: Shape) -> dict[str, Shape]:
        if self.mean is not None:
            return {}
        shape = tuple(x[i] for i in self.kept(len(x)))
        return {"adapted_mean": shape, "adapted_variance": shape, "count": ()}

    def call(self, x: Any, mask: Any = None) -> Any:
        own = self.mean is None
        mean, variance = (self.adapted_mean, self.adapted_variance) if own else (value(self.mean), value(self.variance))
        at, ndim = self.kept(len(x.shape)), len(x.shape)
        mean, deviation = (self.placed(v, at, ndim) for v in (mean, ops.maximum(ops.sqrt(variance), 1e-7)))
        return x * deviation + mean if self.invert else ops.divide(x - mean, deviation)

    def placed(self, v: Any, at: tuple[int, ...], ndim: int) -> Any:
        """v on the kept axes: from the right, where it has fewer axes, and as it is where it has all of x's."""
        n = len(v.shape)
        return v if n == ndim or n == 0 else along(v, at[len(at) - n :], ndim)


def parts(n: int, m: int) -> tuple[int, int]:
    """begin and end of the middle m of n elements."""
    return (n - m) // 2, (n - m) // 2 + m


def middle(x: Any, h: int, w: int) -> Any:
    """The middle h x w of images."""
    (top, bottom), (left, right) = parts(x.shape[1], h), parts(x.shape[2], w)
    return ops.slice_(x, begin=(0, top, left, 0), end=(x.shape[0], bottom, right, x.shape[3]), step=(1, 1, 1, 1))


def cropped(x: Any, h: int, w: int) -> Any:
    """The largest middle part of images that is as high to its width as h to w.

    Source: keras/src/utils/image_utils.py:smart_resize
    """
    height = max(min(x.shape[1], x.shape[2] * h // w), 1)
    width = max(min(x.shape[2], x.shape[1] * w // h), 1)
    return middle(x, height, width)


class Image(Layer):
    """What works on images of one size."""

    height = key(whole)
    width = key(whole)
    data_format = key(data_format, "channels_last")


@layer("Resizing")
class Resizing(Image):
    """Images at another size, perhaps cropped or padded to its aspect ratio first.

    Source: keras/src/layers/preprocessing/image_preprocessing/resizing.py
    """

    interpolation = key(one_of(*MODES), "bilinear")
    crop_to_aspect_ratio = key(boolean, False)
    pad_to_aspect_ratio = key(boolean, False)
    fill_mode = key(one_of("constant"), "constant")
    fill_value = key(float, 0.0)
    antialias = key(boolean, False)

    @channels_last
    def call(self, x: Any) -> Any:
        h, w = self.height, self.width
        if self.crop_to_aspect_ratio:
            x = cropped(x, h, w)
        elif self.pad_to_aspect_ratio:
            high = (max(x.shape[1], x.shape[2] * h // w) - x.shape[1]) // 2
            wide = 0 if high else (max(x.shape[2], x.shape[1] * w // h) - x.shape[2]) // 2
            x = ops.pad(x, pads=((0, 0), (high, high), (wide, wide), (0, 0)), value=self.fill_value)
        return interpolate(x, (h, w), self.interpolation, self.antialias)


@layer("CenterCrop")
class CenterCrop(Image):
    """The middle of larger images; smaller ones are cropped to the aspect ratio and enlarged.

    Source: keras/src/layers/preprocessing/image_preprocessing/center_crop.py
    """

    @channels_last
    def call(self, x: Any) -> Any:
        if x.shape[1] >= self.height and x.shape[2] >= self.width:
            return middle(x, self.height, self.width)
        return interpolate(cropped(x, self.height, self.width), (self.height, self.width), "bilinear")


@layer("RandomCrop")
class RandomCrop(Image):
    """At inference Keras crops to the aspect ratio and resizes; from 3.8 on it leaves images as they are.

    In 3.6 and 3.7 it cuts (height, width) out, from the corner where the crop to the aspect ratio begins.

    Source: keras/src/layers/preprocessing/image_preprocessing/random_crop.py
    """

    training = ("seed",)

    @channels_last
    def call(self, x: Any) -> Any:
        number, target = Version(self.dialect).number, (self.height, self.width)
        if number >= (3, 8):
            return x
        inner = cropped(x, *target)
        if number >= (3, 6):
            top, left = ((n - k) // 2 for n, k in zip(x.shape[1:3], inner.shape[1:3], strict=True))
            bottom, right = min(top + self.height, x.shape[1]), min(left + self.width, x.shape[2])
            inner = ops.slice_(
                x, begin=(0, top, left, 0), end=(x.shape[0], bottom, right, x.shape[3]), step=(1, 1, 1, 1)
            )
        return inner if inner.shape[1:3] == target else interpolate(inner, target, "bilinear")


@layer("Pipeline")
class Pipeline(Layer):
    """Layers one after another.

    Source: keras/src/layers/preprocessing/pipeline.py
    """

    layers = key(lambda v, dialect: [wrapped(x, dialect) for x in v], versioned=True)

    def call(self, x: Any) -> Any:
        for inner in self.layers:
            x = inner(x)
        return x


def encoded(x: Any, mode: str, depth: int, weights: Any = None, version: int = 3) -> Any:
    """Whole numbers below `depth` as Keras' output modes have them.

    "int": as they are. "one_hot": an axis of `depth` at the end, in the place of a last axis of 1 (but in Keras 3
    before 3.4: after it). "multi_hot":
    whether, and "count": how often (each time by its weight), every number is in a sample: x (n, k) -> (n, depth).
    Source: keras/src/utils/numerical_utils.py:encode_categorical_inputs
    """
    if mode == "int":
        return x
    replaced = not (3,) <= Version(version).number < (3, 4)
    if mode == "one_hot" and len(x.shape) > 1 and x.shape[-1] == 1 and replaced:
        x = ops.reshape(x, shape=tuple(x.shape[:-1]))
    hot = ops.equal(ops.reshape(x, shape=(*x.shape, 1)), value([float(i) for i in range(depth)]))
    if mode == "one_hot":
        return hot
    if len(x.shape) < 2:
        raise ShapeError(f"output_mode {mode!r} got the input {tuple(x.shape)}; expected (batch, numbers)")
    hot = hot if weights is None else ops.multiply(hot, ops.reshape(weights, shape=(*weights.shape, 1)))
    y = ops.reduce(hot, fn="max" if mode == "multi_hot" else "sum", axes=(1,))
    return ops.reshape(y, shape=(x.shape[0], *y.shape[2:]))


output_modes = one_of("int", "one_hot", "multi_hot", "count")


@layer("CategoryEncoding")
class CategoryEncoding(Layer):
    """Whole numbers below num_tokens as vectors.

    Source: keras/src/layers/preprocessing/category_encoding.py
    """

    num_tokens = key(whole)
    output_mode = key(output_modes, "multi_hot")
    sparse = key(one_of(False), False)

    def call(self, x: Any, count_weights: Any = None) -> Any:
        return encoded(x, self.output_mode, self.num_tokens, count_weights, self.dialect)


@layer("Discretization")
class Discretization(Layer):
    """In which bin a number lies: how many of the boundaries are not above it.

    Source: keras/src/layers/preprocessing/discretization.py
    """

    bin_boundaries = key(optional(numbers), None)
    output_mode = key(output_modes, "int")
    sparse = key(one_of(False), False)
    training = ("num_bins", "epsilon")

    def call(self, x: Any) -> Any:
        if self.bin_boundaries is None:
            raise ConfigError(f"{self}: has no bin_boundaries; adapt it before saving the model")
        below = ops.less_equal(value(self.bin_boundaries), ops.reshape(x, shape=(*x.shape, 1)))
        bins = ops.reshape(ops.reduce(below, fn="sum", axes=(len(x.shape),)), shape=tuple(x.shape))
        return encoded(bins, self.output_mode, len(self.bin_boundaries) + 1, version=self.dialect)


@layer("IntegerLookup")
class IntegerLookup(Layer):
    """Whole numbers as their places in a vocabulary; those outside share the places before it.

    The mask token, if any, is 0; then come num_oov_indices places for the numbers outside, then the vocabulary. With
    invert, places as numbers of the vocabulary.
    Source: keras/src/layers/preprocessing/integer_lookup.py, index_lookup.py
    """

    vocabulary = key(optional(numbers), None)
    mask_token = key(optional(float), None)
    num_oov_indices = key(whole, 1)
    output_mode = key(output_modes, "int")
    invert = key(boolean, False)
    sparse = key(one_of(False), False)
    pad_to_max_tokens = key(boolean, False)
    max_tokens = key(optional(whole), None)
    idf_weights = key(one_of(None), None)
    oov_token = key(float, -1)
    oov_method = key(anything, "floormod")
    salt = key(one_of(None), None)
    training = ("vocabulary_dtype", "vocabulary_size", "has_input_vocabulary")

    def call(self, x: Any) -> Any:
        if self.vocabulary is None:
            raise ConfigError(f"{self}: has no vocabulary in its config; give one to the layer before saving the model")
        if self.num_oov_indices > 1 and self.oov_method != "floormod":
            raise ConfigError(f"{self}: oov_method is {self.oov_method!r}; expected 'floormod', or one place outside")
        first = (self.mask_token is not None) + self.num_oov_indices
        outsiders = [self.oov_token] * self.num_oov_indices
        words = [w for w in self.vocabulary if w != self.mask_token]
        if outsiders and words[: len(outsiders)] == outsiders:
            words = words[len(outsiders) :]
        if self.invert:
            before = [] if self.mask_token is None else [self.mask_token]
            return ops.take(value([*before, *outsiders, *words]), x, axis=0)
        if self.mask_token is not None and self.output_mode != "int":
            first -= 1  # the mask token has no place in a vector
        outside = ops.full((), float(first - self.num_oov_indices))
        if self.num_oov_indices > 1:
            n = float(self.num_oov_indices)
            outside = ops.add(ops.subtract(x, ops.multiply(ops.floor(ops.divide(x, n)), n)), outside)
        here = ops.equal(ops.reshape(x, shape=(*x.shape, 1)), value(words))
        place = ops.multiply(here, value([float(first + i) for i in range(len(words))]))
        found, at = (
            ops.reshape(ops.reduce(y, fn="sum", axes=(len(x.shape),)), shape=tuple(x.shape)) for y in (here, place)
        )
        y = ops.where(found, at, outside)
        if self.mask_token is not None:
            y = ops.where(ops.equal(x, self.mask_token), 0.0 if self.output_mode == "int" else -1.0, y)
        depth = self.max_tokens if self.pad_to_max_tokens and self.max_tokens else first + len(words)
        return encoded(y, self.output_mode, depth)
