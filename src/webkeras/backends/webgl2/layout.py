"""How tensors lie in textures: integers only. The rule itself is told in shaders/tensor.glsl."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from webkeras.errors import BackendError
from webkeras.shapes import Shape, size


@dataclass(frozen=True)
class Limits:
    """What the driver can do: the largest texture side, how many texels a fragment writes, samplers of a shader."""

    max_size: int = 8192
    lanes: int = 8
    samplers: int = 16


@dataclass(frozen=True)
class Tile:
    """A tensor as (rows, w, c) in `lanes` layers; `fold` > 0 continues rows beyond it in the next layer."""

    rows: int
    w: int
    c: int
    lanes: int
    fold: int = 0

    @property
    def c4(self) -> int:
        return -(-self.c // 4)

    @property
    def size(self) -> int:
        return self.rows * self.w * self.c

    @property
    def texture(self) -> tuple[int, int, int]:
        """Width, height, layers."""
        if self.fold:
            return self.c4, self.fold, -(-self.rows // self.fold)
        return -(-self.w // self.lanes) * self.c4, self.rows, self.lanes

    @property
    def in_order(self) -> bool:
        """Do the tensor's elements, as bytes, fill the texture as they are?"""
        return self.lanes == 1 and (self.c % 4 == 0 or self.rows * self.w == 1)

    @property
    def param(self) -> tuple[int, int, int]:
        """What pixel() of tensor.glsl wants."""
        return self.c4, self.lanes.bit_length() - 1, self.lanes - 1


@dataclass(frozen=True)
class Flat:
    """Elements in order, four to a texel, `width` texels to a row."""

    size: int
    width: int

    @property
    def texture(self) -> tuple[int, int, int]:
        """Width, height, layers."""
        return self.width, -(-self.size // (4 * self.width)), 1


Layout = Tile | Flat
L = TypeVar("L", Tile, Flat)


def lanes(w: int, limits: Limits) -> int:
    """The smallest power of two that holds w pixels, at most what a fragment can write."""
    n = 1
    while n < min(w, limits.lanes):
        n *= 2
    return n


def tile(shape: Shape, limits: Limits) -> Tile:
    """The usual layout of a tensor.

    Raises BackendError when no texture is large enough.
    """
    c = shape[-1] if shape else 1
    w = shape[-2] if len(shape) > 1 else 1
    layout = Tile(size(shape[:-2]), w, c, lanes(w, limits))
    return checked(layout, shape, limits)


def rows(n: int, c: int, limits: Limits) -> Tile:
    """Plain rows, for weights: n rows of c channels, folded where a texture is too low for them."""
    layout = Tile(n, 1, c, 1, limits.max_size if n > limits.max_size else 0)
    return checked(layout, (n, c), limits)


def flat(n: int, limits: Limits) -> Flat:
    """Elements in order; nearly square when they do not fit in one row."""
    texels = -(-n // 4)
    width = texels if texels <= limits.max_size else min(limits.max_size, 1 << (texels.bit_length() // 2 + 1))
    layout = Flat(n, max(width, 1))
    checked(layout, (n,), limits)
    return layout


def checked(layout: L, shape: Shape, limits: Limits) -> L:
    """The layout, or BackendError where a side exceeds what textures can have."""
    if max(layout.texture[:2]) > limits.max_size or layout.texture[2] > 256:
        raise BackendError(
            f"webgl2: a tensor {shape} needs a texture of {layout.texture[0]} x {layout.texture[1]}, "
            f"this browser allows {limits.max_size}; use another backend"
        )
    return layout
