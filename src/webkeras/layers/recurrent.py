"""Recurrent layers: a cell over axis 1, with all the options that Keras has for it.

x (n, t, c) -> (n, units), or (n, t, units) with return_sequences; time_major swaps n and t.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webkeras import ops
from webkeras.errors import ConfigError, ShapeError
from webkeras.graph import Value, keep, recall
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.cells import Cell, GRUCell, LSTMCell, Run, SimpleRNNCell, StackedRNNCells, at, cell, flat, zeros
from webkeras.layers.layout import flip
from webkeras.layers.read import boolean, one_of, optional, whole
from webkeras.shapes import Shape
from webkeras.version import Version


class Recurrent(Cell):
    """The options that every recurrent layer has.

    Source: keras/src/layers/rnn/rnn.py; keras/src/backend.py:rnn (Keras 2.15)
    """

    mask = "use"

    return_sequences = key(boolean, False)
    return_state = key(boolean, False)
    go_backwards = key(boolean, False)
    stateful = key(boolean, False)
    time_major = key(boolean, False)
    unroll = key(boolean, False)
    zero_output_for_mask = key(boolean, False)
    num_constants = key(one_of(None, 0), None)

    def __call__(self, *xs: Any, **kwargs: Any) -> Any:
        return super().__call__(*unmasked(self.dialect, xs, kwargs), **kwargs)

    def call(self, x: Any, *states: Any, initial_state: Any = None, constants: Any = None, **rest: Any) -> Any:
        mask = rest.pop("mask", None)
        absent(self, rest)
        x, *given = flat([x, states, initial_state, constants])
        count = self.num_constants or 0
        if constants is not None and len(flat(constants)) != count:
            raise ShapeError(f"{self}: is called with {len(flat(constants))} constants; expected {count}")
        first = len(given) - count
        given, self.constants = given[:first], given[first:]
        x, given = self.entering(x), [self.entering_state(s) for s in given]
        mask = mask[0] if isinstance(mask, list) else mask
        mask = ops.transpose(mask, perm=(1, 0)) if mask is not None and self.time_major else mask
        before = self.before(x, given, [(x.shape[0], *s) for s in self.states(tuple(x.shape))])
        forgetful = mask is not None and self.forgetful()
        slip = self.zero_output_for_mask and self.unroll and self.go_backwards and self.return_sequences and forgetful
        zero = self.zero_output_for_mask and not slip
        ys, after = self.run(x, before, mask, self.go_backwards, zero)
        if forgetful and not zero and (given or self.stateful):
            ys = ops.where(self.begun(mask, len(ys.shape)), ys, 0.0)
        if slip:  # 0 goes where the mask says so that Keras, on TensorFlow, forgets to turn around
            ys = flip(ops.where(ops.reshape(mask, shape=(*mask.shape, *(1,) * (len(ys.shape) - 2))), flip(ys), 0.0))
        if self.stateful and isinstance(x, Value):
            keep(self, after)
        y = self.leaving(flip(ys) if self.go_backwards else ys) if self.return_sequences else self.last(ys)
        return [y, *map(self.leaving_state, after)] if self.return_state else y

    def last(self, ys: Any) -> Any:
        """What was given out last, of outputs in the order of the input."""
        return self.leaving_state(at(ys, 0 if self.go_backwards else ys.shape[1] - 1))

    def entering(self, x: Any) -> Any:
        """The input as (n, t, ..., c)."""
        return swapped(x) if self.time_major else x

    def leaving(self, y: Any) -> Any:
        """Outputs (n, t, ..., c) as the file has them."""
        return swapped(y) if self.time_major else y

    def entering_state(self, x: Any) -> Any:
        """A state as (n, ..., c)."""
        return x

    def leaving_state(self, y: Any) -> Any:
        """A state or output (n, ..., c) as the file has it."""
        return y

    def before(self, x: Any, given: list[Any], shapes: list[Shape]) -> list[Any]:
        """The states before the first step: given, kept from the last run, or zeros."""
        if given and [tuple(s.shape) for s in given] != shapes:
            raise ShapeError(f"{self}: initial states {[tuple(s.shape) for s in given]}; expected {shapes}")
        kept = recall(self, shapes) if self.stateful and isinstance(x, Value) else []
        return given or kept or [zeros(x, s) for s in shapes]

    def forgetful(self) -> bool:
        """Is 0 given out before the first step that is not masked? Before tf.keras the first state was.

        Backends of Keras 3 differ, and a file does not say which it was. Ours is the meaning of TensorFlow and Torch,
        which is Keras 2.15's too; on JAX the first state is given out, and zero_output_for_mask unknown where unrolled.
        """
        return self.dialect == 3 or (self.dialect == 2 and Version(self.dialect).tf)

    def begun(self, mask: Any, rank: int) -> Any:
        """(n, t, 1, ...), of `rank` axes: 1 from the first step on that is not masked."""

        def step(states: list[Any], xs: list[Any]) -> tuple[list[Any], list[Any]]:
            y = ops.maximum(states[0], xs[0])
            return [y], [y]

        _, (ys,) = ops.scan(step, [zeros(mask, (mask.shape[0],))], [mask], reverse=self.go_backwards)
        return ops.reshape(ys, shape=(*ys.shape, *(1,) * (rank - 2)))

    def compute_mask(self, x: Any, mask: Any) -> Any:
        mask = mask[0] if isinstance(mask, list) else mask
        return mask if self.return_sequences else None


def unmasked(dialect: int, xs: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments of a call, of which Keras 3 sees no mask where initial states stand beside the input.

    Source: keras/src/layers/layer.py:__call__, which looks for `sequences_mask` then
    """
    x, *states = flat([xs, kwargs.get("initial_state")])
    if dialect < 3 or not states or kwargs.get("mask") is not None or getattr(x, "mask", None) is None:
        return xs
    x = ops.reshape(x, shape=tuple(x.shape))
    return ([x, *xs[0][1:]], *xs[1:]) if isinstance(xs[0], list) else (x, *xs[1:])


def absent(layer: Layer, kwargs: Mapping[str, Any]) -> None:
    """ConfigError where a call has arguments that no layer here can honour; null and false mean nothing."""
    for name, v in kwargs.items():
        if v is not None and v is not False:
            raise ConfigError(f"{layer}: is called with {name!r}; expected initial_state and mask only")


def swapped(x: Any) -> Any:
    """(t, n, ...) <-> (n, t, ...)"""
    return ops.transpose(x, perm=(1, 0, *range(2, len(x.shape))))


@layer("SimpleRNN")
class SimpleRNN(Recurrent, SimpleRNNCell):
    """y = activation(x_t @ kernel + y @ recurrent_kernel + bias)."""


@layer("LSTM", "UnifiedLSTM")
class LSTM(Recurrent, LSTMCell):
    """Long short-term memory."""


@layer("GRU", "UnifiedGRU")
class GRU(Recurrent, GRUCell):
    """Gated recurrent unit."""


@layer("CuDNNLSTM")
class CuDNNLSTM(LSTM):
    """LSTM with cuDNN's weights, which has no options."""


@layer("CuDNNGRU")
class CuDNNGRU(GRU):
    """GRU with cuDNN's weights, which resets after."""

    reset_after = key(one_of(True), True)


@layer("RNN")
class RNN(Recurrent):
    """Any cell, or several one after another, over the time axis. A cell of the user's may read constants."""

    cell = key(cell, versioned=True)
    num_constants = key(optional(whole), None)

    def __init__(self, config: Any, dialect: int = 3, arrays: Any = ()) -> None:
        super().__init__(config, dialect, arrays)
        cells = self.cell.cells if isinstance(self.cell, StackedRNNCells) else [self.cell]
        if self.num_constants and all(type(c).__module__.startswith("webkeras.") for c in cells):
            raise ConfigError(f"{self}: num_constants is {self.num_constants}, but {cells[0]} takes no constants")

    def bind(self, *xs: Any) -> None:
        """The cell binds."""

    def states(self, x: Shape) -> list[Shape]:
        found: list[Shape] = self.cell.states(x)
        return found

    def run(self, x: Any, states: list[Any], mask: Any, reverse: bool, zero: bool) -> Run:
        self.cell.arrays, self.cell.constants = self.arrays, self.constants
        self.cell.bind(x)
        result: Run = self.cell.run(x, states, mask, reverse, zero)
        return result
