"""einsum of two tensors, written as transpositions, reshapes and one matmul."""

from __future__ import annotations

from typing import Any

from webkeras.errors import ShapeError
from webkeras.ops.contraction import matmul
from webkeras.ops.movement import reshape, transpose
from webkeras.ops.reduction import reduce
from webkeras.shapes import Shape, size


def einsum(equation: str, a: Any, b: Any) -> Any:
    """The sum over every letter that the result lacks: "abc,cd->abd" is a matrix product.

    "..." stands for leading axes that only one of the tensors has.
    Raises ShapeError where the equation does not fit the tensors.
    Source: numpy.einsum
    """
    left, right, out = labels(equation, len(a.shape), len(b.shape))
    sizes: dict[str, int] = {}
    for letter, n in (*zip(left, a.shape, strict=True), *zip(right, b.shape, strict=True)):
        if sizes.setdefault(letter, n) != n:
            raise ShapeError(f"einsum {equation!r}: {letter!r} is {sizes[letter]} and {n} in {a.shape} and {b.shape}")
    a, left = summed(a, left, right + out)
    b, right = summed(b, right, left + out)
    both = [x for x in left if x in right]
    batch, inner = [x for x in both if x in out], [x for x in both if x not in out]
    rows, columns = [x for x in left if x not in both], [x for x in right if x not in both]

    def total(letters: list[str]) -> Shape:
        return tuple(sizes[x] for x in letters)

    m = (size(total(rows)),) if batch else total(rows) or (1,)
    a = reshaped(moved(a, left, batch + rows + inner), (*total(batch), *m, size(total(inner))))
    b = reshaped(moved(b, right, batch + inner + columns), (*total(batch), size(total(inner)), size(total(columns))))
    y = reshaped(matmul(a, b), total(batch + rows + columns))
    return moved(y, "".join(batch + rows + columns), list(out))


def labels(equation: str, a: int, b: int) -> tuple[str, str, str]:
    """The letters of both tensors and of the result, "..." as capital letters; a and b are their ranks."""
    ins, arrow, out = equation.replace(" ", "").partition("->")
    parts = ins.split(",")
    if not arrow or len(parts) != 2 or ("." in parts[0] and "." in parts[1]):
        raise ShapeError(f"einsum {equation!r}; expected two tensors, at most one with '...', and '->'")
    for i, rank in enumerate((a, b)):
        if "..." in parts[i]:
            more = "ABCDEFGH"[: rank - len(parts[i]) + 3]
            parts[i], out = parts[i].replace("...", more), out.replace("...", more)
        if len(parts[i]) != rank or len(set(parts[i])) != rank:
            raise ShapeError(f"einsum {equation!r}: tensor {i + 1} has {rank} axes, {parts[i]!r} names {len(parts[i])}")
    return parts[0], parts[1], out


def summed(x: Any, letters: str, used: str) -> tuple[Any, str]:
    """x without the axes that nobody else names."""
    lost = tuple(i for i, letter in enumerate(letters) if letter not in used)
    if not lost:
        return x, letters
    y = reduce(x, fn="sum", axes=lost)
    kept = [i for i in range(len(letters)) if i not in lost]
    return reshape(y, shape=tuple(x.shape[i] for i in kept)), "".join(letters[i] for i in kept)


def moved(x: Any, letters: str, wanted: list[str]) -> Any:
    """x with its axes in the wanted order."""
    perm = tuple(letters.index(letter) for letter in wanted)
    return x if perm == tuple(range(len(perm))) else transpose(x, perm=perm)


def reshaped(x: Any, shape: Shape) -> Any:
    return x if tuple(x.shape) == shape else reshape(x, shape=shape)
