"""A function from outside, the page's say: no backend has it, backends/apart.py calls it between two graphs."""

from __future__ import annotations

from typing import Any

from webkeras.errors import ShapeError
from webkeras.graph import op
from webkeras.lazy import np
from webkeras.shapes import Shape


def _given(*xs: Shape, function: Any, config: Any, weights: int = 0) -> Shape:
    if len(xs) == weights:
        raise ShapeError(f"custom function {function.name!r} is called without a tensor; expected one at least")
    if function.shape is None:
        return xs[0]
    wanted = (None, *function.shape)
    if None in wanted[len(xs[0]) :]:
        raise ShapeError(
            f"custom function {function.name!r} gives the shape {wanted}, whose open axes are its first input's, "
            f"but that one is {xs[0]}; expected a number for every axis beyond"
        )
    return tuple(xs[0][i] if d is None else d for i, d in enumerate(wanted))


@op(shape=_given, arity=None)
def outside(*xs: Any, function: Any, config: Any, weights: int = 0) -> Any:
    """What `function.call` makes of flat tensors with their shapes, a config, and the last `weights` of xs.

    xs: at least one tensor besides the weights, any shapes. `function.shape` is the result's without the batch axis,
    None (all of it, or an axis) as in the first of xs. Raises ShapeError where that axis is not there.
    """
    parts = [(x.ravel(), x.shape) for x in xs]
    first = len(xs) - weights
    y = np.asarray(function.call(parts[:first], config, parts[first:]), "float32")
    return y.reshape(_given(*(x.shape for x in xs), function=function, config=config, weights=weights))
