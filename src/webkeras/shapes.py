"""Integer arithmetic on shapes: windows, padding, broadcasting. No numpy, no tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from webkeras.errors import ShapeError

Shape = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


def size(shape: Iterable[int]) -> int:
    """The number of elements."""
    return math.prod(shape)


def broadcast(*shapes: Shape) -> Shape:
    """numpy's broadcasting rule; ShapeError where it does not hold."""
    out: list[int] = []
    for i in range(1, max(map(len, shapes), default=0) + 1):
        dims = {s[-i] for s in shapes if len(s) >= i} - {1}
        if len(dims) > 1:
            raise ShapeError(f"shapes {' and '.join(map(str, shapes))} do not broadcast")
        out.append(dims.pop() if dims else 1)
    return tuple(reversed(out))


def window(n: int, kernel: int, stride: int, dilation: int = 1, pads: tuple[int, int] = (0, 0)) -> int:
    """How many places a dilated window takes on n padded elements; ShapeError when it takes none."""
    out = (n + sum(pads) - dilation * (kernel - 1) - 1) // stride + 1
    if out < 1:
        raise ShapeError(
            f"a window of {dilation * (kernel - 1) + 1} does not fit in {n} elements padded by {pads}; "
            "expected a larger input or padding 'same'"
        )
    return out


def same(n: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """TensorFlow's 'SAME' padding (before, after): the output has ceil(n / stride) elements, the odd one goes after."""
    total = max((-(-n // stride) - 1) * stride + dilation * (kernel - 1) + 1 - n, 0)
    return total // 2, total - total // 2


#: The pads before the first element; Keras 1.2.2, keras/backend/theano_backend.py:conv2d, pool2d
THEANO: dict[str, Callable[[int], int]] = {
    "half": lambda k: k // 2,
    "pool": lambda k: k - 2 if k > 2 and k % 2 else k - 1,
}


def padding(
    mode: str, shape: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> Pads:
    """Keras' padding names as explicit pads per axis: 'valid', 'same' or 'causal' (all before).

    'half' and 'pool' are what 'same' was on Theano, for convolution and for pooling: as many elements, other places.
    """
    if mode in THEANO:
        spans = [(n, d * (k - 1) + 1, s) for n, k, s, d in zip(shape, kernel, strides, dilation, strict=True)]
        lows = [THEANO[mode](k) for _, k, _ in spans]
        return tuple((lo, max(0, (-(-n // s) - 1) * s + k - n - lo)) for lo, (n, k, s) in zip(lows, spans, strict=True))
    if mode == "valid":
        return tuple((0, 0) for _ in shape)
    if mode == "same":
        return tuple(same(n, k, s, d) for n, k, s, d in zip(shape, kernel, strides, dilation, strict=True))
    if mode == "causal":
        return tuple((d * (k - 1), 0) for k, d in zip(kernel, dilation, strict=True))
    raise ShapeError(f"padding {mode!r} is unknown; expected 'valid', 'same' or 'causal'")


def transposed(
    mode: str, n: int, kernel: int, stride: int, dilation: int = 1, extra: int | None = None
) -> tuple[int, tuple[int, int]]:
    """Keras' output size and pads (before, after) of a transposed convolution; `extra` is output_padding.

    The pads are those of the convolution whose adjoint it is: "same" centres the kernel, the odd element goes after.
    Source: keras/src/backend/common/backend_utils.py:_convert_conv_transpose_padding_args_from_keras_to_jax
    """
    kernel = dilation * (kernel - 1) + 1
    full = (n - 1) * stride + kernel
    if mode == "valid":
        out = full + (max(stride - kernel, 0) if extra is None else extra)
    elif mode == "same":
        out = n * stride if extra is None else full - 2 * (kernel // 2) + extra
    else:
        raise ShapeError(f"padding {mode!r} is unknown for a transposed convolution; expected 'valid' or 'same'")
    total = max(full - out, 0)
    return out, (total // 2, total - total // 2)


def axis(i: int, ndim: int) -> int:
    """A possibly negative axis as a non-negative one; ShapeError when there is no such axis."""
    if not -ndim <= i < ndim:
        raise ShapeError(f"axis {i} is outside a tensor of {ndim} axes")
    return i % ndim


def axes(i: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """One axis or several, non-negative and in order."""
    return tuple(sorted(axis(j, ndim) for j in ([i] if isinstance(i, int) else i)))


def resolve(target: Sequence[int], elements: int) -> Shape:
    """A reshape target with at most one -1 filled in; ShapeError when the elements do not fit."""
    known = size(d for d in target if d != -1)
    out = tuple(elements // known if d == -1 and known else d for d in target)
    if list(target).count(-1) > 1 or size(out) != elements:
        raise ShapeError(f"{elements} elements cannot take the shape {tuple(target)}")
    return out
