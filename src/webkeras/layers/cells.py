"""Recurrent cells: what happens at a step, and how a whole sequence of them runs.

The input is projected for all steps at once; only the recurrent product stands inside the scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from webkeras import ops
from webkeras.errors import WeightsError
from webkeras.graph import Value
from webkeras.layers.activation import activation
from webkeras.layers.base import Layer, key, layer, make
from webkeras.layers.read import boolean, whole
from webkeras.lazy import np
from webkeras.shapes import Shape
from webkeras.text import short
from webkeras.version import Version

Run = tuple[Any, list[Any]]  # outputs in the order of the input, and the final states


def child(v: Any, dialect: int) -> Any:
    """A layer inside another's config."""
    if not isinstance(v, Mapping):
        return v
    if not isinstance(v.get("class_name"), str) or not isinstance(v.get("config"), Mapping):
        raise ValueError(f"{short(v)}; expected a layer's class_name and config")
    return make(v["class_name"], v["config"], dialect)


def zeros(like: Any, shape: Shape) -> Any:
    """Zeros: a Value beside Values, an array beside arrays."""
    return ops.full(shape, 0.0) if isinstance(like, Value) else np.zeros(shape, "float32")


def at(x: Any, t: int) -> Any:
    """x (n, t, ...) at one step."""
    begin, end = (0,) * len(x.shape), tuple(x.shape)
    row = ops.slice_(x, begin=(0, t, *begin[2:]), end=(end[0], t + 1, *end[2:]), step=(1,) * len(end))
    return ops.reshape(row, shape=(end[0], *end[2:]))


class Cell(Layer):
    """What happens at one step. Subclasses say `states` and `step`, or `run` all steps at once.

    `constants` are the tensors that an RNN was called with beside its input, the same at every step.
    """

    constants: Sequence[Any] = ()
    training: ClassVar[tuple[str, ...]] = (
        "recurrent_initializer", "recurrent_regularizer", "recurrent_constraint", "unit_forget_bias", "dropout",
        "recurrent_dropout", "implementation", "seed", "use_cudnn", "init", "inner_init",
        "forget_bias_init", "W_regularizer", "U_regularizer", "b_regularizer", "dropout_W", "dropout_U",
        "consume_less", "input_dim", "input_length",
    )

    def states(self, x: Shape) -> list[Shape]:
        """The shapes of the states, without n, for x (n, t, ...); the first is the output's as well."""
        raise NotImplementedError(f"{self}: has no states")

    def step(self, x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """x (n, ...), states -> output (n, ...), new states."""
        raise NotImplementedError(f"{self}: has no step")

    def run(self, x: Any, states: list[Any], mask: Any, reverse: bool, zero: bool) -> Run:
        """x (n, t, ...), the weights bound -> outputs (n, t, ...) in the order of x, final states."""

        def step(old: list[Any], xs: list[Any]) -> tuple[list[Any], Any]:
            y, new = self.step(xs[0], old)
            return list(new), y

        return ops.masked_scan(step, states, [x], mask, reverse=reverse, zero=zero)

    def call(self, x: Any, *states: Any) -> Any:
        """One step, where a cell is used as a layer: (x, states) -> (output, states)."""
        given = [s for group in states for s in (group if isinstance(group, list | tuple) else [group])]
        ys, final = self.run(ops.reshape(x, shape=(x.shape[0], 1, *x.shape[1:])), given, None, False, False)
        return [at(ys, 0), *final]


def cell(v: Any, dialect: int) -> Cell:
    """A cell inside a layer's config."""
    found = child(v, dialect)
    if not isinstance(found, Cell):
        raise ValueError(f"{found} is no cell; expected a subclass of webkeras.Cell")
    return found


class DenseCell(Cell):
    """What SimpleRNN, LSTM and GRU share: `gates` dense products of the input and as many of the first state."""

    gates: ClassVar[int] = 1
    kinds: ClassVar[tuple[str, ...]] = ("activation",)

    units = key(whole, keras1="output_dim")
    activation = activation("tanh")
    use_bias = key(boolean, True)

    def build(self, x: Any, *_: Any) -> dict[str, Shape]:
        c, u, g = first(x)[-1], self.units, self.gates
        return {"kernel": (c, g * u), "recurrent_kernel": (u, g * u)} | ({"bias": (g * u,)} if self.use_bias else {})

    def states(self, x: Shape) -> list[Shape]:
        return [(self.units,)]

    def projected(self, x: Any) -> Any:
        """The input's part of every gate, all steps at once."""
        y = ops.matmul(x, self.kernel)
        return y + self.bias if self.use_bias else y

    def recur(self, name: str, x: Any, states: list[Any], *rest: Any, bias: Sequence[Any] = (), **attrs: Any) -> Run:
        """The composite `name` where the activations are expressions, else its step in a scan; rest as in `run`."""
        mask, reverse, zero = rest
        functions = {k: getattr(self, k) for k in self.kinds}
        exprs = {k: ops.expression(f) for k, f in functions.items()}
        if None in exprs.values():
            step = getattr(ops, name + "_step")(self.recurrent_kernel, *bias, **functions, **attrs)
            return ops.masked_scan(step, states, [x], mask, reverse=reverse, zero=zero)
        more = [*states, *bias, *([] if mask is None else [mask])]
        ys, *final = getattr(ops, name)(x, self.recurrent_kernel, *more, **exprs, **attrs, reverse=reverse, zero=zero)
        return ys, final


@layer("SimpleRNNCell")
class SimpleRNNCell(DenseCell):
    """One step of SimpleRNN."""

    def run(self, x: Any, states: list[Any], mask: Any, reverse: bool, zero: bool) -> Run:
        return self.recur("simple_rnn", self.projected(x), states, mask, reverse, zero)


@layer("LSTMCell")
class LSTMCell(DenseCell):
    """One step of LSTM; gates i, f, c, o."""

    gates = 4
    kinds = ("activation", "recurrent_activation")

    recurrent_activation = activation("sigmoid", keras1="inner_activation")

    def states(self, x: Shape) -> list[Shape]:
        return [(self.units,)] * 2

    def canonical(self, arrays: list[Any]) -> list[Any]:
        if len(arrays) == 12:  # Keras 1, a kernel, a recurrent kernel and a bias a gate, in the order i, c, f, o
            return joined(arrays, (0, 2, 1, 3))
        if len(arrays) == 3 and arrays[2].shape == (8 * self.units,):
            kernel, recurrent, bias = from_cudnn(arrays, 4)
            return [kernel, recurrent, ops.gate(bias, 0, 2) + ops.gate(bias, 1, 2)]
        return arrays

    def run(self, x: Any, states: list[Any], mask: Any, reverse: bool, zero: bool) -> Run:
        return self.recur("lstm", self.projected(x), states, mask, reverse, zero)


@layer("GRUCell")
class GRUCell(DenseCell):
    """One step of GRU; gates z, r, h. The bias is (2, 3 units) with reset_after: the input's and the recurrent one."""

    gates = 3
    kinds = ("activation", "recurrent_activation")

    recurrent_activation = activation("sigmoid", keras1="inner_activation")
    reset_after = key(lambda v, dialect: dialect == 3 if v is None else boolean(v), None, versioned=True)

    def build(self, x: Any, *_: Any) -> dict[str, Shape]:
        wanted = super().build(x)
        return wanted | {"bias": (2, 3 * self.units)} if self.use_bias and self.reset_after else wanted

    def canonical(self, arrays: list[Any]) -> list[Any]:
        if len(arrays) == 9:  # Keras 1, in the order z, r, h
            return joined(arrays, (0, 1, 2))
        if len(arrays) == 3 and arrays[2].shape == (6 * self.units,):
            kernel, recurrent, bias = from_cudnn(arrays, 3)
            return [kernel, recurrent, ops.reshape(bias, shape=(2, 3 * self.units))]
        return arrays

    def run(self, x: Any, states: list[Any], mask: Any, reverse: bool, zero: bool) -> Run:
        u = self.units
        if not self.reset_after:
            return self.recur("gru", self.projected(x), states, mask, reverse, zero, reset_after=False)
        x, inner = ops.matmul(x, self.kernel), zeros(x, (u,))
        if self.use_bias:
            z, r, h, rz, rr, inner = (ops.gate(ops.reshape(self.bias, shape=(6 * u,)), i, 6) for i in range(6))
            x = x + ops.concat(z + rz, r + rr, h, axis=0)
        return self.recur("gru", x, states, mask, reverse, zero, bias=[inner], reset_after=True)


def first(x: Any) -> Shape:
    """The shape of x, where x may be a list of x and states."""
    return tuple(x[0]) if isinstance(x, list) else tuple(x)


def joined(arrays: list[Any], order: Sequence[int]) -> list[Any]:
    """Keras 1's arrays, three a gate, as kernel, recurrent kernel and bias of all gates."""
    return [ops.concat(*(arrays[3 * g + k] for g in order), axis=len(arrays[k].shape) - 1) for k in range(3)]


def from_cudnn(arrays: list[Any], gates: int) -> list[Any]:
    """Kernels that were laid out for cuDNN, each gate's transposed; the biases as they are.

    Source: keras/src/saving/legacy/hdf5_format.py:preprocess_weights_for_loading
    """
    kernel, recurrent, bias = arrays
    c, u = kernel.shape[0], recurrent.shape[0]
    parts = [ops.transpose(ops.reshape(ops.gate(kernel, g, gates), shape=(u, c)), perm=(1, 0)) for g in range(gates)]
    turned = [ops.transpose(ops.gate(recurrent, g, gates), perm=(1, 0)) for g in range(gates)]
    return [ops.concat(*parts, axis=1), ops.concat(*turned, axis=1), bias]


@layer("StackedRNNCells")
class StackedRNNCells(Cell):
    """Cells one after another at every step, which is: each over the whole sequence, one after another."""

    cells = key(lambda v, dialect: [cell(c, dialect) for c in v], versioned=True)
    reverse_state_order = key(boolean, False)

    def bind(self, *xs: Any) -> None:
        """Every cell binds its own, when its input is known."""

    def order(self) -> list[int]:
        """The cells in the order of their states; before tf.keras the last cell's came first."""
        count = len(self.cells)
        backwards = self.reverse_state_order or not Version(self.dialect).tf
        return list(reversed(range(count))) if backwards else list(range(count))

    def states(self, x: Shape) -> list[Shape]:
        return [s for i in self.order() for s in self.cells[i].states(x)]

    def run(self, x: Any, states: list[Any], mask: Any, reverse: bool, zero: bool) -> Run:
        mine, rest = {}, list(states)
        for i in self.order():
            count = len(self.cells[i].states(x.shape))
            mine[i], rest = rest[:count], rest[count:]
        arrays = list(self.arrays)
        for i, cell in enumerate(self.cells):
            count = len(cell.build(tuple(x.shape)))
            cell.arrays, arrays = arrays[:count], arrays[count:]
            cell.constants = self.constants
            cell.bind(x)
            x, mine[i] = cell.run(x, mine[i], mask, reverse, zero)
        if arrays:
            raise WeightsError(f"{self}: the file has {len(arrays)} weights more than the cells take")
        return x, [s for i in self.order() for s in mine[i]]


def flat(x: Any) -> list[Any]:
    """Every tensor of nested lists, in order."""
    if isinstance(x, list | tuple):
        return [v for part in x for v in flat(part)]
    return [] if x is None else [x]
