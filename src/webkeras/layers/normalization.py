"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webkeras import ops
from webkeras.errors import ConfigError, ShapeError
from webkeras.layers.base import Layer, key, layer, make
from webkeras.layers.read import anything, boolean, one_of, whole
from webkeras.shapes import Shape
from webkeras.shapes import axes as positive
from webkeras.text import short
from webkeras.version import Version


def along(weight: Any, axes: tuple[int, ...], ndim: int) -> Any:
    """A weight that has one axis for each of `axes`, as a tensor of ndim axes that broadcasts there."""
    if axes == tuple(range(ndim - len(axes), ndim)) or len(weight.shape) == ndim:
        return weight
    sizes = dict(zip(axes, weight.shape, strict=True))
    return ops.reshape(weight, shape=tuple(sizes.get(i, 1) for i in range(ndim)))


@layer("BatchNormalization", "BatchNormalizationV1")
class BatchNormalization(Layer):
    """(x - moving_mean) / sqrt(moving_variance + epsilon) * gamma + beta on one axis or, in Keras 2, several.

    Source: keras/src/layers/normalization/batch_normalization.py
    """

    mask = "pass"
    axis = key(anything, -1)
    epsilon = key(float, 1e-3)
    center = key(boolean, True)
    scale = key(boolean, True)
    mode = key(one_of(0, 1, 2), 0)  # of Keras 1: 1 normalises every sample, 2 every batch; neither uses the statistics

    def build(self, x: Shape) -> dict[str, Shape]:
        axes = positive(self.axis, len(x))
        one = len(axes) == 1
        c = (x[axes[0]],) if one else tuple(n if i in axes else 1 for i, n in enumerate(x))
        names = ["gamma"] * self.scale + ["beta"] * self.center + ["moving_mean", "moving_variance"]
        return dict.fromkeys(names, c)

    def call(self, x: Any) -> Any:
        if self.mode:
            return self.normalized(x)
        scale = ops.fused(self.factor, self.moving_variance, *([self.gamma] if self.scale else []))
        shift = ops.fused(self.term, self.moving_mean, scale, *([self.beta] if self.center else []))
        axes, ndim = positive(self.axis, len(x.shape)), len(x.shape)
        return x * along(scale, axes, ndim) + along(shift, axes, ndim)

    def factor(self, variance: Any, gamma: Any = None) -> Any:
        """What x is multiplied by."""
        inverse = self.inverse(variance)
        return inverse if gamma is None else ops.multiply(inverse, gamma)

    @staticmethod
    def term(mean: Any, factor: Any, beta: Any = None) -> Any:
        """What is added then."""
        shift = ops.negative(ops.multiply(mean, factor))
        return shift if beta is None else ops.add(shift, beta)

    def inverse(self, variance: Any) -> Any:
        """1 / deviation; epsilon joins the variance, but on Theano, until Keras 1.1, it joined the deviation."""
        version = Version(self.dialect)
        if version.theano and version.number < (1, 1):
            return ops.divide(1.0, ops.add(ops.sqrt(variance), self.epsilon))
        return ops.rsqrt(ops.add(variance, self.epsilon))

    def normalized(self, x: Any) -> Any:
        """Keras 1's modes 1 and 2: with the mean and variance of what is at hand.

        Source: Keras 1.2.2, keras/layers/normalization.py
        """
        ndim = len(x.shape)
        axes = positive(self.axis, ndim)
        over = (ndim - 1,) if self.mode == 1 else tuple(i for i in range(ndim) if i not in axes)
        d = ops.subtract(x, ops.mean(x, axes=over))
        variance = ops.mean(ops.multiply(d, d), axes=over)
        if self.mode == 1:
            axes, std = (ndim - 1,), ops.sqrt(ops.add(variance, self.epsilon))
            y = ops.divide(d, ops.add(std, self.epsilon))
        else:
            y = ops.multiply(d, self.inverse(variance))
        return y * along(self.gamma, axes, ndim) + along(self.beta, axes, ndim)


@layer("LayerNormalization")
class LayerNormalization(Layer):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and variance over one axis or several of each sample.

    rms_scaling (Keras 3) leaves mean and beta away, and still divides by the deviation from the mean.
    Source: keras/src/layers/normalization/layer_normalization.py
    """

    mask = "pass"
    axis = key(anything, -1)
    epsilon = key(float, 1e-3)
    center = key(boolean, True)
    scale = key(boolean, True)
    rms_scaling = key(boolean, False)

    def build(self, x: Shape) -> dict[str, Shape]:
        shape = tuple(x[i] for i in positive(self.axis, len(x)))
        gains = {"gamma": self.scale or self.rms_scaling, "beta": self.center and not self.rms_scaling}
        return {name: shape for name, there in gains.items() if there}

    def call(self, x: Any) -> Any:
        axes, ndim = positive(self.axis, len(x.shape)), len(x.shape)
        if self.rms_scaling:
            centred = x - ops.mean(x, axes=axes)
            y = x * ops.rsqrt(ops.mean(centred * centred, axes=axes) + self.epsilon)
        else:
            y = ops.normalize(x, axes=axes, epsilon=self.epsilon)
        for name in self.build(x.shape):
            weight = along(getattr(self, name), axes, ndim)
            y = y * weight if name == "gamma" else y + weight
        return y


@layer("GroupNormalization")
class GroupNormalization(Layer):
    """Layer normalisation over all of a sample that falls into the same group of channels.

    Source: keras/src/layers/normalization/group_normalization.py
    """

    mask = "pass"
    groups = key(whole, 32)
    axis = key(whole, -1)
    epsilon = key(float, 1e-3)
    center = key(boolean, True)
    scale = key(boolean, True)

    def build(self, x: Shape) -> dict[str, Shape]:
        return dict.fromkeys(["gamma"] * self.scale + ["beta"] * self.center, (x[self.axis],))

    def call(self, x: Any) -> Any:
        (at,), ndim = positive(self.axis, len(x.shape)), len(x.shape)
        groups = x.shape[at] if self.groups == -1 else self.groups
        if x.shape[at] % groups:
            raise ShapeError(f"{x.shape[at]} channels do not fall into {groups} groups; expected a multiple")
        split = ops.reshape(x, shape=(*x.shape[:at], groups, x.shape[at] // groups, *x.shape[at + 1 :]))
        over = tuple(i for i in range(1, ndim + 1) if i != at)
        y = ops.reshape(ops.normalize(split, axes=over, epsilon=self.epsilon), shape=tuple(x.shape))
        y = y * along(self.gamma, (at,), ndim) if self.scale else y
        return y + along(self.beta, (at,), ndim) if self.center else y


@layer("RMSNormalization")
class RMSNormalization(Layer):
    """x / sqrt(mean(x * x) + epsilon) * scale over one axis or several.

    Source: keras/src/layers/normalization/rms_normalization.py
    """

    axis = key(anything, -1)
    epsilon = key(float, 1e-6)

    def build(self, x: Shape) -> dict[str, Shape]:
        return {"scale": tuple(x[i] for i in positive(self.axis, len(x)))}

    def call(self, x: Any) -> Any:
        axes = positive(self.axis, len(x.shape))
        y = x * ops.rsqrt(ops.mean(x * x, axes=axes) + self.epsilon)
        return y * along(self.scale, axes, len(x.shape))


def unit(x: Any, axis: Any) -> Any:
    """x over its Euclidean length along `axis`.

    Source: tf.math.l2_normalize
    """
    square = ops.reduce(x * x, fn="sum", axes=positive(axis, len(x.shape)))
    return x * ops.rsqrt(ops.maximum(square, 1e-12))


@layer("UnitNormalization")
class UnitNormalization(Layer):
    """Every sample scaled to length 1 along one axis or several."""

    mask = "pass"
    axis = key(anything, -1)

    def call(self, x: Any) -> Any:
        return unit(x, self.axis)


def wrapped(v: Any, dialect: int) -> Layer:
    """The layer inside a wrapper's config."""
    if not isinstance(v, Mapping) or "class_name" not in v:
        raise ConfigError(f"{short(v)}; expected a layer's class_name and config")
    return make(v["class_name"], v["config"], dialect)


@layer("SpectralNormalization")
class SpectralNormalization(Layer):
    """The layer inside: its kernel was normalised in training, and vector_u only helped there.

    Source: keras/src/layers/normalization/spectral_normalization.py
    """

    layer = key(wrapped, versioned=True)
    training = ("power_iterations",)

    def build(self, x: Shape) -> dict[str, Shape]:
        inner = self.layer.build(x)
        kernel = next(iter(inner.values()))
        return {**inner, "vector_u": (1, kernel[-1])}

    def canonical(self, arrays: list[Any]) -> list[Any]:
        """vector_u last: Keras 3 counts it with the kernel, before the bias; older ones wrote the kernel twice."""
        if len(arrays) > 2 and arrays[0].shape == arrays[2].shape and len(arrays[1].shape) == 2:
            return [*arrays[2:], arrays[1]]
        if len(arrays) == 3 and len(arrays[1].shape) == 2:
            return [arrays[0], arrays[2], arrays[1]]
        return arrays

    def call(self, x: Any) -> Any:
        for name in self.layer.build(x.shape):
            setattr(self.layer, name, getattr(self, name))
        return self.layer.call(x)
