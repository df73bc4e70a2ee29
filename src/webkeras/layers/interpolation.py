"""Resizing: nearest and linear are an op; every other way is a matrix for each axis, made here without numpy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from webkeras import ops
from webkeras.graph import value
from webkeras.shapes import Shape, size


def _triangle(x: float) -> float:
    return max(0.0, 1 - x)


def _cubic(b: float, c: float) -> Callable[[float], float]:
    """The cubic kernels of Mitchell and Netravali (1988), of which Keys' is one."""

    def kernel(x: float) -> float:
        if x < 1:
            return ((12 - 9 * b - 6 * c) * x**3 + (12 * b + 6 * c - 18) * x**2 + 6 - 2 * b) / 6
        if x < 2:
            return ((-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 - (12 * b + 48 * c) * x + 8 * b + 24 * c) / 6
        return 0.0

    return kernel


def _lanczos(radius: float) -> Callable[[float], float]:
    def kernel(x: float) -> float:
        if x < 1e-3 or x >= radius:
            return float(x < radius)
        return radius * math.sin(math.pi * x) * math.sin(math.pi * x / radius) / (math.pi * x) ** 2

    return kernel


def _gaussian(x: float) -> float:
    return math.exp(-2 * x * x) if x < 1.5 else 0.0


KERNELS: dict[str, Callable[[float], float]] = {
    "bilinear": _triangle,
    "bicubic": _cubic(0.0, 0.5),
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
    "gaussian": _gaussian,
    "mitchellcubic": _cubic(1 / 3, 1 / 3),
}
MODES = ("nearest", "area", *KERNELS)


def matrix(n: int, m: int, mode: str, antialias: bool) -> list[list[float]]:
    """How much of each of n elements is in each of m: output i is centred on (i + 1/2) n / m.

    "corner" is bilinear with output i at i n / m, as TensorFlow 1 and TF.js have it: corners meet, not the middles.
    A kernel is as wide as an input element, or with antialias as an output element if that is wider; weights that fall
    outside are left out and the rest made to sum to 1. "area" takes what the output element covers.
    Source: jax.image.scale_and_translate; tensorflow/core/kernels/image/resize_area_op.cc, resize_bilinear_op.cc
    """
    step, rows = n / m, []
    width = max(step, 1.0) if antialias else 1.0
    for i in range(m):
        if mode == "area":
            row = [max(0.0, min(j + 1, (i + 1) * step) - max(j, i * step)) for j in range(n)]
        elif mode == "corner":
            row = [_triangle(abs(i * step - j)) for j in range(n)]
        else:
            row = [KERNELS[mode](abs((i + 0.5) * step - 0.5 - j) / width) for j in range(n)]
        rows.append([w / sum(row) for w in row])
    return rows


def interpolate(x: Any, target: Shape, mode: str, antialias: bool = False) -> Any:
    """x (n, h, w, c) -> (n, *target, c)"""
    if tuple(target) == tuple(x.shape[1:-1]):
        return x
    smaller = any(m < n for n, m in zip(x.shape[1:-1], target, strict=True))
    if mode == "nearest" or (mode == "bilinear" and not (antialias and smaller)):
        return ops.resize(x, size=target, mode="nearest" if mode == "nearest" else "linear")
    for axis, m in enumerate(target, start=1):
        n, before, after = x.shape[axis], x.shape[:axis], x.shape[axis + 1 :]
        if n != m:
            rows = ops.transpose(ops.reshape(x, shape=(size(before), n, size(after))), perm=(0, 2, 1))
            columns = value([list(c) for c in zip(*matrix(n, m, mode, antialias), strict=True)])
            x = ops.reshape(ops.transpose(ops.matmul(rows, columns), perm=(0, 2, 1)), shape=(*before, m, *after))
    return x
