"""How tensors lie in textures: integers only. The rule itself is told in shaders/tensor.glsl."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

from webkeras.errors import BackendError
from webkeras.shapes import Shape, size


@dataclass(frozen=True)
class Limits:
    """What the driver can do: the largest texture side, how many texels a fragment writes, samplers of a shader."""

    max_size: int = 8192
    lanes: int = 8
    samplers: int = 16
    half: bool = False  # textures hold 16-bit floats: half the memory and traffic, three decimal digits
    winograd: bool = True
    #: Fragments that tell each other something (sums.glsl): two in a row their sums, four in a square what they fetch.
    neighbours: int = 1

    @property
    def lays(self) -> bool:
        """Is an input to go up as kernels read it? JavaScript's milliseconds per image are less than a program takes
        SwiftShader to translate; on a GPU they are more than all the draws of a small network."""
        return self.neighbours == 4

    @property
    def sampled(self) -> bool:
        """Do kernels read by texture() instead of texelFetch (tensor.glsl)? Where squares are, SwiftShader is."""
        return self.neighbours == 4


WIDE = 1 << 20  # pixels of a wider image are not found by floats
NEVER = 1 << 24  # larger than any coordinate: a side that is not folded


@dataclass(frozen=True)
class Tile:
    """A tensor as (rows, w, c) in `lanes` layers, folded where a texture cannot be as high or as wide as it is.

    fold: (columns before they go on below, rows before they go on to the right, width, height), as tensor.glsl has it.
    stacked: every other column lies below the one before; such a tensor is not folded.
    """

    rows: int
    w: int
    c: int
    lanes: int
    fold: tuple[int, int, int, int] = (NEVER, NEVER, 0, 0)
    stacked: bool = False

    @property
    def c4(self) -> int:
        return -(-self.c // 4)

    @property
    def size(self) -> int:
        return self.rows * self.w * self.c

    @property
    def plain(self) -> tuple[int, int]:
        """Width and height, were there no limit."""
        return -(-self.w // self.lanes) * self.c4, self.rows

    @property
    def folded(self) -> bool:
        return self.fold[:2] != (NEVER, NEVER)

    @property
    def texture(self) -> tuple[int, int, int]:
        """Width, height, layers."""
        (width, height), (columns, rows, *_) = self.plain, self.fold
        if self.stacked:
            return -(-width // 2), 2 * height, self.lanes
        right, below = -(-height // rows), -(-width // columns)
        return min(width, columns) * right, min(height, rows) * below, self.lanes

    @property
    def in_order(self) -> bool:
        """Do the tensor's elements, as bytes, fill the texture as they are?"""
        return self.lanes == 1 and (self.c % 4 == 0 or self.rows * self.w == 1)

    @property
    def param(self) -> tuple[int, int, int]:
        """What PIXEL of tensor.glsl wants."""
        return self.c4, self.lanes, bits(1 / self.lanes)

    def within(self, limits: Limits) -> Tile:
        """The same, folded if need be, or stacked where fragments of a square may work together: in images, never rows;
        where they write one or two texels, they do not, and little models find the self-test's programs."""
        (width, height), most = self.plain, limits.max_size
        if limits.neighbours == 4 and self.lanes > 2 and 2 * height <= most and width <= 2 * most:
            return replace(self, stacked=True)
        if height > most:
            return replace(self, fold=(NEVER, _part(height, most), width, 0))
        if width > most:
            return replace(self, fold=(_part(width, most), NEVER, 0, height))
        return self


def bits(x: float) -> int:
    """A float32's bits as a signed integer."""
    found: int = struct.unpack("<i", struct.pack("<f", x))[0]
    return found


def _part(side: int, most: int) -> int:
    """The length of equal parts of a side, as few as fit."""
    return -(-side // -(-side // most))


@dataclass(frozen=True)
class Flat:
    """Elements in order, four to a texel, `width` texels to a row."""

    size: int
    width: int

    fold: ClassVar[tuple[int, int, int, int]] = (NEVER, NEVER, 0, 0)
    folded: ClassVar[bool] = False
    stacked: ClassVar[bool] = False

    @property
    def texture(self) -> tuple[int, int, int]:
        """Width, height, layers."""
        return self.width, -(-self.size // (4 * self.width)), 1


Layout = Tile | Flat
L = TypeVar("L", Tile, Flat)


def lanes(w: int, limits: Limits) -> int:
    """The smallest power of two that holds w pixels, at most what a fragment can write."""
    return min(1 << max(w - 1, 0).bit_length(), limits.lanes)


def tile(shape: Shape, limits: Limits) -> Tile:
    """The usual layout of a tensor.

    Raises BackendError when no texture is large enough.
    """
    c = shape[-1] if shape else 1
    w = shape[-2] if len(shape) > 1 else 1
    return checked(Tile(size(shape[:-2]), w, c, lanes(w, limits)).within(limits), shape, limits)


def rows(n: int, c: int, limits: Limits) -> Tile:
    """Plain rows, for weights: n rows of c channels."""
    return checked(Tile(n, 1, c, 1).within(limits), (n, c), limits)


def flat(n: int, limits: Limits, row: int = 0) -> Flat:
    """Elements in order; `row` elements to a row if that can be, else nearly square when they do not fit in one."""
    texels = -(-n // 4)
    width = texels if texels <= limits.max_size else min(limits.max_size, 1 << (texels.bit_length() // 2 + 1))
    if row and row % 4 == 0 and row <= 4 * limits.max_size and n <= row * limits.max_size:
        width = row // 4
    layout = Flat(n, max(width, 1))
    checked(layout, (n,), limits)
    return layout


def checked(layout: L, shape: Shape, limits: Limits) -> L:
    """The layout, or BackendError where a side exceeds what textures can have."""
    if max(layout.texture[:2]) > limits.max_size:
        raise BackendError(
            f"webgl2: a tensor {shape} needs a texture of {layout.texture[0]} x {layout.texture[1]}, "
            f"this browser allows {limits.max_size}; use another backend"
        )
    return layout
