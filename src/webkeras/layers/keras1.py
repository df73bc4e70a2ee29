"""Layers that only Keras 1 had. Those that live on under another name are that layer, with one name more.

Source: Keras 1.2.2, keras/layers and keras/engine/topology.py
"""

from __future__ import annotations

from functools import reduce
from typing import Any, ClassVar

from webkeras import ops
from webkeras.errors import ConfigError, ShapeError
from webkeras.layers.activation import ActivationLayer, activation, of_sample, relu, softplus
from webkeras.layers.base import Layer, custom, key, layer, to_give
from webkeras.layers.convolution import Window
from webkeras.layers.layout import channels_last
from webkeras.layers.read import anything, boolean, whole
from webkeras.shapes import Shape, axis
from webkeras.version import Version

MODES = ("sum", "mul", "concat", "ave", "cos", "dot", "max")
EPSILON = 1e-7  # of the backend, in files of Keras 1


@layer("Merge")
class Merge(Layer):
    """Several inputs into one: sum, mul, ave, max, concat on an axis, or dot and cos over axes that count the batch.

    A function of the user's is code, which is not run: `custom_objects` gives it, by the layer's name or its own. It
    takes the list of inputs, and the result has no mask.
    """

    mask = "use"
    training = tuple(
        "output_shape output_shape_type output_mask output_mask_type node_indices tensor_indices".split()
    )

    mode = key(anything, "sum")
    mode_type = key(anything, "raw")
    arguments = key(lambda v: dict(v or {}), {})
    concat_axis = key(whole, -1)
    dot_axes = key(lambda v: v, -1)

    def __init__(self, config: Any, dialect: int = 3, arrays: Any = ()) -> None:
        super().__init__(config, dialect, arrays)
        self.function: Any = None
        if self.mode not in MODES:
            names = [self.name, *[str(self.mode)] * (self.mode_type == "function")]
            self.function = next(filter(None, map(custom, names)), None)
            if self.function is None:
                raise ConfigError(
                    f"{self}: its mode is a function, whose code is not run; give its meaning in {to_give(names[-1])}"
                )

    def call(self, xs: list[Any], mask: Any = None) -> Any:
        if not isinstance(xs, list) or len(xs) < 2:
            raise ShapeError(f"{self}: is called with one tensor; expected two or more")
        if self.function is not None:
            return self.function(xs, **self.arguments)
        pairs = {"sum": ops.add, "ave": ops.add, "mul": ops.multiply, "max": ops.maximum}
        if self.mode in pairs:
            y = reduce(pairs[self.mode], xs)
            return ops.divide(y, float(len(xs))) if self.mode == "ave" else y
        if self.mode == "concat":
            return ops.concat(*xs, axis=axis(self.concat_axis, len(xs[0].shape)))
        if len(xs) > 2:
            raise ShapeError(f"{self}: mode {self.mode!r} takes two tensors, got {len(xs)}")
        return self.dot(*xs) if self.mode == "dot" else self.cos(*xs)

    def dot(self, a: Any, b: Any) -> Any:
        """The batched dot product, (n, 1) of two matrices."""
        axes = self.dot_axes if isinstance(self.dot_axes, list | tuple) else [self.dot_axes] * 2
        i, j = (axis(whole(k), len(x.shape)) for k, x in zip(axes, (a, b), strict=True))
        if len(a.shape) == len(b.shape) == 2:
            return ops.reduce(ops.multiply(a, b), fn="sum", axes=(1,))
        a = a if i == len(a.shape) - 1 else turned(a)
        return ops.matmul(a, turned(b) if j == len(b.shape) - 1 else b)

    def cos(self, a: Any, b: Any) -> Any:
        """The cosine of the angle between them, with a new axis of 1 after the batch."""
        length = ops.sqrt(ops.maximum(ops.multiply(self.dot(a, a), self.dot(b, b)), 0.0))
        y = ops.divide(self.dot(a, b), ops.maximum(length, EPSILON))
        return ops.reshape(y, shape=(y.shape[0], 1, *y.shape[1:]))

    def compute_mask(self, xs: Any, mask: Any) -> Any:
        there = [m for m in mask if m is not None]
        if not there or self.function is not None or self.mode in ("cos", "dot", "max"):
            return None
        if self.mode != "concat":
            return reduce(ops.multiply, there)
        masks = [ones_like(x) if m is None else raised(m, x) for x, m in zip(xs, mask, strict=True)]
        joined = ops.concat(*masks, axis=axis(self.concat_axis, len(masks[0].shape)))
        least = ops.reduce(joined, fn="min", axes=(len(joined.shape) - 1,))
        return ops.reshape(least, shape=tuple(least.shape[:-1]))


def turned(x: Any) -> Any:
    """The last two axes exchanged."""
    n = len(x.shape)
    return ops.transpose(x, perm=(*range(n - 2), n - 1, n - 2))


def raised(mask: Any, x: Any) -> Any:
    """A mask with an axis of 1 at the end, where x has more axes."""
    return ops.reshape(mask, shape=(*mask.shape, 1)) if len(mask.shape) < len(x.shape) else mask


def ones_like(x: Any) -> Any:
    """Ones in the shape of x."""
    return ops.add(ops.multiply(x, 0.0), 1.0)


@layer("Highway")
class Highway(Layer):
    """t * activation(x @ W + b) + (1 - t) * x with t = sigmoid(x @ W_carry + b_carry)."""

    activation = activation()
    use_bias = key(boolean, True, keras2="bias")  # Keras 2 kept it, with the names of Keras 1
    training = ("transform_bias", "init", "input_dim")

    def build(self, x: Shape) -> dict[str, Shape]:
        kernels: dict[str, Shape] = dict.fromkeys(("W", "W_carry"), (x[-1], x[-1]))
        return kernels | (dict.fromkeys(("b", "b_carry"), (x[-1],)) if self.use_bias else {})

    def canonical(self, arrays: list[Any]) -> list[Any]:
        if len(arrays) == 4 and len(arrays[1].shape) == 1:  # until 1.1: W, b, W_carry, b_carry
            return [arrays[0], arrays[2], arrays[1], arrays[3]]
        return arrays

    def call(self, x: Any) -> Any:
        y, t = ops.matmul(x, self.W), ops.matmul(x, self.W_carry)
        if self.use_bias:
            y, t = y + self.b, t + self.b_carry
        t = ops.sigmoid(t)
        return ops.add(ops.multiply(t, self.activation(y)), ops.multiply(ops.subtract(1.0, t), x))


@layer("MaxoutDense")
class MaxoutDense(Layer):
    """The largest of nb_feature dense products, element by element: W (nb_feature, c, units)."""

    units = key(whole, keras2="output_dim")
    nb_feature = key(whole, 4)
    use_bias = key(boolean, True, keras2="bias")
    training = ("init", "input_dim")

    def build(self, x: Shape) -> dict[str, Shape]:
        k, u = self.nb_feature, self.units
        return {"W": (k, x[-1], u)} | ({"b": (k, u)} if self.use_bias else {})

    def call(self, x: Any) -> Any:
        n, c = x.shape
        k, u = self.nb_feature, self.units
        kernel = ops.reshape(ops.transpose(self.W, perm=(1, 0, 2)), shape=(c, k * u))
        y = ops.reshape(ops.matmul(x, kernel), shape=(n, k, u))
        y = ops.reduce(y + self.b if self.use_bias else y, fn="max", axes=(1,))
        return ops.reshape(y, shape=(n, u))


class Shaped(ActivationLayer):
    """An activation whose weights have the shape of a sample, or 1 where axes share: which, only they can tell."""

    names: ClassVar[tuple[str, ...]]

    def build(self, x: Shape) -> dict[str, Shape]:
        return dict.fromkeys(self.names, of_sample(self, x))


@layer("ParametricSoftplus")
class ParametricSoftplus(Shaped):
    """alpha * log(1 + exp(beta * x))"""

    names = ("alphas", "betas")

    def call(self, x: Any) -> Any:
        return ops.multiply(softplus(ops.multiply(self.betas, x)), self.alphas)


@layer("SReLU")
class SReLU(Shaped):
    """x between t_left and t_left + |t_right|, with slopes a_left below and a_right above.

    Theano bounds the left part from above as well, which shows where a_left is negative.
    """

    names = ("t_left", "a_left", "t_right", "a_right")

    def call(self, x: Any) -> Any:
        right = ops.add(self.t_left, ops.absolute(self.t_right))
        d = ops.subtract(x, self.t_left)
        span, low = ops.subtract(right, self.t_left), ops.multiply(self.a_left, ops.minimum(d, 0.0))
        low = ops.minimum(low, span) if Version(self.dialect).theano else low
        middle = ops.minimum(relu(d), span)
        high = ops.multiply(relu(ops.subtract(x, right)), self.a_right)
        return ops.add(ops.add(ops.add(self.t_left, middle), low), high)


@layer("Deconvolution2D")
class Deconvolution2D(Window):
    """The adjoint of a convolution, with the output's size given; kernel (kh, kw, filters, c)."""

    rank = 2
    filters = key(whole, keras1="nb_filter")
    output_shape = key(tuple)

    def build(self, x: Shape) -> dict[str, Shape]:
        kernel = {"kernel": (*self.kernel_size, self.filters, self.channels(x))}
        return kernel | ({"bias": (self.filters,)} if self.use_bias else {})

    def canonical(self, arrays: list[Any]) -> list[Any]:
        kernel, *rest = super().canonical(arrays)
        return [turned(kernel), *rest]

    @channels_last
    def call(self, x: Any) -> Any:
        first = self.data_format == "channels_first"
        out = tuple(whole(n) for n in (self.output_shape[2:] if first else self.output_shape[1:-1]))
        pads = self.pads(out, self.kernel_size, self.strides, (1, 1))
        y = ops.conv_transpose(x, self.kernel, strides=self.strides, pads=pads, output=out)
        return self.finish(y)
