"""Ops that multiply and sum: matrix product and convolution, in any number of spatial axes."""

from __future__ import annotations

from typing import Any

from webkeras.errors import ShapeError
from webkeras.graph import op
from webkeras.lazy import np
from webkeras.shapes import Pads, Shape, broadcast, window


def _product(a: Shape, b: Shape) -> Shape:
    if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
        raise ShapeError(f"matmul of {a} and {b}; expected (..., m, k) and (..., k, n)")
    return (*broadcast(a[:-2], b[:-2]), a[-2], b[-1])


@op(shape=_product, arity=2)
def matmul(a: Any, b: Any) -> Any:
    """Matrix product over the last two axes.

    a (..., m, k), b (..., k, n) -> (..., m, n); leading axes broadcast.
    Raises ShapeError when the k differ or the leading axes do not broadcast.
    Source: numpy.matmul
    """
    return a @ b


def _convolved(
    x: Shape, w: Shape, *, strides: Shape, pads: Pads, dilation: Shape | None = None, groups: int = 1
) -> Shape:
    if len(x) != len(w) or x[-1] != w[-2] * groups or w[-1] % groups:
        raise ShapeError(
            f"the kernel {w} in {groups} group(s) takes {w[-2] * groups} channels, the input has {x[-1]} {x}"
        )
    spatial = zip(x[1:-1], w[:-2], strides, dilation or (1,) * len(strides), pads, strict=True)
    return (x[0], *(window(*a) for a in spatial), w[-1])


@op(shape=_convolved, arity=2)
def conv(x: Any, w: Any, *, strides: Shape, pads: Pads, dilation: Shape | None = None, groups: int = 1) -> Any:
    """Cross-correlation over 1 to 3 spatial axes.

    x (n, h, w, c), w (kh, kw, c / groups, f) -> (n, h', w', f); pads are (before, after) per spatial axis, zeros.
    Filter j belongs to group j // (f / groups), so a depthwise kernel is groups = c, f = c * multiplier.
    Raises ShapeError when the channels disagree or the window does not fit.
    Source: keras/src/ops/nn.py:conv
    """
    dilation = dilation or (1,) * len(strides)
    kernel, (cg, f) = w.shape[:-2], w.shape[-2:]
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    out = tuple(window(*a) for a in zip(x.shape[1:-1], kernel, strides, dilation, strict=True))
    y = np.zeros((x.shape[0], *out, groups, f // groups), "float32")
    for tap in np.ndindex(*kernel):
        at = tuple(
            slice(t * d, t * d + (o - 1) * s + 1, s) for t, d, o, s in zip(tap, dilation, out, strides, strict=True)
        )
        part = x[(slice(None), *at)].reshape(x.shape[0], *out, groups, 1, cg)
        y += (part @ w[tap].reshape(cg, groups, f // groups).transpose(1, 0, 2))[..., 0, :]
    return y.reshape(x.shape[0], *out, f)


def _deconvolved(
    x: Shape, w: Shape, *, strides: Shape, pads: Pads, output: Shape, dilation: Shape | None = None
) -> Shape:
    if len(x) != len(w) or x[-1] != w[-1]:
        raise ShapeError(f"the transposed kernel {w} takes {w[-1]} channels, the input has {x[-1]} {x}")
    return (x[0], *output, w[-2])


@op(shape=_deconvolved, arity=2)
def conv_transpose(
    x: Any, w: Any, *, strides: Shape, pads: Pads, output: Shape, dilation: Shape | None = None
) -> Any:
    """The adjoint of `conv`: every input element spreads the kernel over the output, which is then cropped.

    x (n, h, w, c), w (kh, kw, f, c) -> (n, *output, f); output element o gets input i through tap t where
    o = i * stride + t * dilation - pads[0].
    Raises ShapeError when the channels disagree.
    Source: keras/src/ops/nn.py:conv_transpose
    """
    dilation = dilation or (1,) * len(strides)
    kernel = w.shape[:-2]
    spatial = zip(x.shape[1:-1], kernel, strides, dilation, pads, output, strict=True)
    full = [max((n - 1) * s + d * (k - 1) + 1, lo + o) for n, k, s, d, (lo, _), o in spatial]
    y = np.zeros((x.shape[0], *full, w.shape[-2]), "float32")
    for tap in np.ndindex(*kernel):
        at = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, dilation, x.shape[1:-1], strides, strict=True)
        )
        y[(slice(None), *at)] += x @ w[tap].T
    crop = tuple(slice(lo, lo + o) for (lo, _), o in zip(pads, output, strict=True))
    return np.ascontiguousarray(y[(slice(None), *crop)])
