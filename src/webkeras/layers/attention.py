"""Attention: softmax of how well queries meet keys, times the values.

q (n, t, c), v (n, s, c), k (n, s, c) -> (n, t, c)
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

from webkeras import ops
from webkeras.errors import ShapeError, WeightsError
from webkeras.graph import value
from webkeras.layers.base import Layer, attached, key, layer
from webkeras.layers.quantized import AbsMax, by_name, matmul
from webkeras.layers.read import boolean, one_of, optional, whole
from webkeras.shapes import Shape, axes, size


def swapped(x: Any) -> Any:
    """The last two axes of x, the other way round."""
    n = len(x.shape)
    return ops.transpose(x, perm=(*range(n - 2), n - 1, n - 2))


def both(masks: list[Any]) -> Any:
    """1 where all masks are, those that are None left out; None where all are."""
    given = [m for m in masks if m is not None]
    return reduce(ops.multiply, given) if given else None


def causal(t: int, s: int) -> Any:
    """(1, t, s): 1 where step j of s is not after step i of t."""
    return value([[[float(j <= i) for j in range(s)] for i in range(t)]])


def window(t: int, s: int, width: int) -> Any:
    """(1, t, s): 1 where steps are fewer than `width` apart."""
    return value([[[float(abs(i - j) < width) for j in range(s)] for i in range(t)]])


class DotAttention(Layer):
    """What Attention and AdditiveAttention share; the mask is that of the query, and zeroes what it masks.

    Source: keras/src/layers/attention/attention.py
    """

    mask = "use"
    training = ("dropout", "seed")

    def scores(self, q: Any, k: Any) -> Any:
        """How well every query meets every key: (n, t, s)."""
        raise NotImplementedError

    def call(
        self,
        xs: list[Any],
        mask: Any = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        if not isinstance(xs, list) or len(xs) not in (2, 3):
            raise ShapeError("the inputs are no list of query and value, or query, value and key; expected one")
        q, v, k = (*xs, xs[1])[:3]
        scores = self.scores(q, k)
        q_mask, v_mask = mask[:2] if mask else (None, None)
        rows = None if v_mask is None else ops.reshape(v_mask, shape=(v_mask.shape[0], 1, v_mask.shape[1]))
        kept = both([rows, causal(*scores.shape[-2:]) if use_causal_mask or self.causal else None])
        if kept is not None:
            scores = ops.where(kept, scores, ops.subtract(scores, 1e9))
        weights = ops.softmax(scores, axes=(2,))
        y = ops.matmul(weights, v)
        if q_mask is not None:
            y = ops.where(ops.reshape(q_mask, shape=(*q_mask.shape, 1)), y, 0.0)
        return (y, weights) if return_attention_scores else y


def pairs(q: Any, k: Any) -> Any:
    """tanh of every query plus every key: (n, t, s, c)."""
    (n, t, c), s = q.shape, k.shape[1]
    return ops.tanh(ops.reshape(q, shape=(n, t, 1, c)) + ops.reshape(k, shape=(n, 1, s, c)))


def summed(x: Any) -> Any:
    """The sum over the last axis, which goes."""
    return ops.reshape(ops.reduce(x, fn="sum", axes=(len(x.shape) - 1,)), shape=tuple(x.shape[:-1]))


@layer("Attention")
class Attention(DotAttention):
    """Luong's: the score is the dot product, or with "concat" the sum of tanh(query + key)."""

    use_scale = key(boolean, False)
    score_mode = key(one_of("dot", "concat"), "dot")
    causal = key(boolean, False)

    def build(self, xs: list[Shape]) -> dict[str, Shape]:
        names = ["scale"] * self.use_scale + ["concat_score_weight"] * (self.score_mode == "concat")
        return dict.fromkeys(names, ())

    def scores(self, q: Any, k: Any) -> Any:
        if self.score_mode == "dot":
            y = ops.matmul(q, swapped(k))
            return y * self.scale if self.use_scale else y
        q, k = (q * self.scale, k * self.scale) if self.use_scale else (q, k)
        return summed(pairs(q, k)) * self.concat_score_weight


@layer("AdditiveAttention")
class AdditiveAttention(DotAttention):
    """Bahdanau's: the score is the weighted sum of tanh(query + key).

    Source: keras/src/layers/attention/additive_attention.py
    """

    use_scale = key(boolean, True)
    causal = key(boolean, False)

    def build(self, xs: list[Shape]) -> dict[str, Shape]:
        return {"scale": (xs[0][-1],)} if self.use_scale else {}

    def scores(self, q: Any, k: Any) -> Any:
        y = pairs(q, k)
        return summed(y * self.scale if self.use_scale else y)


class Heads(Layer):
    """What the multi-head layers share: projections to heads, attention in each, a projection back.

    Every head of queries sees the keys and values of head i * key_heads // heads. Where there is a weight more for
    every projection, these are quantised to int8: the file says so nowhere else.
    Source: keras/src/layers/attention/multi_head_attention.py, grouped_query_attention.py
    """

    mask = "pass"
    training = ("seed", "query_shape", "key_shape", "value_shape", "flash_attention")

    use_bias = key(boolean, True)
    use_gate = key(boolean, False)
    sliding_window = key(optional(whole), None)
    dropout = key(float, 0.0)

    heads: int
    key_heads: int
    width: int  # of a head's queries and keys
    value_width: int
    output_shape: tuple[int, ...] | None = None
    attention_axes: tuple[int, ...] | None = None

    def __call__(self, query: Any, value: Any, key: Any = None, **kwargs: Any) -> Any:
        return super().__call__(query, value, value if key is None else key, **kwargs)

    def build(self, q: Shape, v: Shape, k: Shape) -> dict[str, Shape]:
        out = self.output_shape or (q[-1],)
        shapes = {
            "query": (q[-1], self.heads, self.width),
            "key": (k[-1], self.key_heads, self.width),
            "gate": (q[-1], self.heads, self.value_width) if self.use_gate else None,
            "value": (v[-1], self.key_heads, self.value_width),
            "output": (self.heads, self.value_width, *out),
        }
        weights: dict[str, Shape] = {}
        for name, shape in shapes.items():
            if shape:
                weights[f"{name}_kernel"] = shape
                if self.use_bias:
                    weights[f"{name}_bias"] = out if name == "output" else shape[1:]
                if self.quantised:
                    weights[f"{name}_kernel_scale"] = (1, 1, *out) if name == "output" else (1, 1, *shape[1:])
        self.names = tuple(weights)
        return weights

    def canonical(self, arrays: list[Any]) -> list[Any]:
        """By projection: a quantised `.h5` has all biases first."""
        names = [n.replace("output_", "attention_output_") for n in self.names]
        return by_name(arrays, names, last=2)

    @property
    def quantised(self) -> bool:
        """Whether every kernel comes with a scale.

        Raises WeightsError where it comes with a zero and an index as well: int4, whose blocks no config tells.
        """
        if len(self.arrays) == (4 + int(self.use_gate)) * (4 + int(self.use_bias)):
            raise WeightsError(f"{self}: its projections are quantised to int4; expected floats, or int8")
        return len(self.arrays) == (4 + int(self.use_gate)) * (2 + int(self.use_bias))

    def project(self, x: Any, name: str) -> Any:
        """x (..., c) to heads (..., heads, width), or back with "output"."""
        kernel, bias = getattr(self, f"{name}_kernel"), getattr(self, f"{name}_bias", None)
        bound = 2 if name == "output" else 1
        inner, out = kernel.shape[:bound], kernel.shape[bound:]
        free = x.shape[: len(x.shape) - bound]
        scale = ops.reshape(getattr(self, f"{name}_kernel_scale"), shape=(size(out),)) if self.quantised else None
        rows, matrix = ops.reshape(x, shape=(*free, size(inner))), ops.reshape(kernel, shape=(size(inner), size(out)))
        y = matmul(rows, matrix, scale, AbsMax())
        y = y + ops.reshape(bias, shape=(size(out),)) if self.use_bias else y
        return ops.reshape(y, shape=(*free, *out))

    def call(
        self,
        query: Any,
        value: Any,
        key: Any,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        n, t, s = query.shape[0], query.shape[1], value.shape[1]
        own = [attached(query), attached(value), None if key is value else attached(key)]
        q_mask, v_mask, k_mask = (
            a if m is None else m for a, m in zip(own, (query_mask, value_mask, key_mask), strict=True)
        )
        kept = both(
            [
                None if q_mask is None else ops.reshape(q_mask, shape=(n, t, 1)),
                None if v_mask is None else ops.reshape(v_mask, shape=(n, 1, s)),
                None if k_mask is None else ops.reshape(k_mask, shape=(n, 1, s)),
                causal(t, s) if use_causal_mask else None,
                None if self.sliding_window is None else window(t, s, self.sliding_window),
                attention_mask,
            ]
        )
        q, k, v = self.project(query, "query"), self.project(key, "key"), self.project(value, "value")
        zero = self.dialect == 3 and (self.dropout > 0 or return_attention_scores or len(q.shape) != 4)
        y, scores = self.attend(q, k, v, kept, zero)
        y = y * ops.sigmoid(self.project(query, "gate")) if self.use_gate else y
        y = self.project(y, "output")
        return (y, scores) if return_attention_scores else y

    def attend(self, q: Any, k: Any, v: Any, kept: Any, zero: bool) -> tuple[Any, Any]:
        """Attention over attention_axes, in every head and along all other axes alone: (result, weights).

        `zero`: a query that may see nothing gives 0, not the mean; Keras 3 does so where it does not use its fused op.
        """
        ndim = len(q.shape)
        over = self.attention_axes or tuple(range(1, ndim - 2))
        alone = tuple(i for i in range(ndim - 2) if i not in over)
        perm = (*alone, ndim - 2, *over, ndim - 1)
        q, k, v = (ops.transpose(x, perm=perm) for x in (q, k, v))
        lead, ts, ss = q.shape[: len(alone) + 1], q.shape[len(alone) + 1 : -1], k.shape[len(alone) + 1 : -1]
        q, k, v = (
            ops.reshape(x, shape=(*x.shape[: len(lead)], size(x.shape[len(lead) : -1]), x.shape[-1])) for x in (q, k, v)
        )
        k, v = (repeated(x, len(lead) - 1, self.heads) for x in (k, v))
        scores = ops.matmul(q * (1 / math.sqrt(self.width)), swapped(k))
        if kept is not None:
            kept = spread(kept, lead, ts, ss)
            scores = ops.where(kept, scores, -1e9)
        weights = ops.softmax(scores, axes=(len(lead) + 1,))
        weights = ops.where(kept, weights, 0.0) if zero and kept is not None else weights
        y = ops.reshape(ops.matmul(weights, v), shape=(*lead, *ts, v.shape[-1]))
        back = tuple(perm.index(i) for i in range(ndim))
        return ops.transpose(y, perm=back), ops.reshape(weights, shape=(*lead, *ts, *ss))


def repeated(x: Any, axis: int, heads: int) -> Any:
    """x with every head on `axis` as often as makes `heads`."""
    before, n, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    if n == heads:
        return x
    rows = ops.resize(ops.reshape(x, shape=(size(before), n, size(after))), size=(heads,), mode="nearest")
    return ops.reshape(rows, shape=(*before, heads, *after))


def spread(mask: Any, lead: Shape, ts: Shape, ss: Shape) -> Any:
    """A mask (n, t.., s..) that broadcasts to (n, .., heads, t, s): the axes it lacks are put before t."""
    tail = len(ts) + len(ss)
    full = (*mask.shape[:-tail], *(1,) * (len(lead) + tail - len(mask.shape)), *mask.shape[-tail:])
    t, s = full[-tail : -len(ss)], full[-len(ss) :]
    return ops.reshape(mask, shape=(*full[:-tail], size(t), size(s)))


@layer("MultiHeadAttention")
class MultiHeadAttention(Heads):
    """The same number of heads for queries, keys and values.

    attention_axes: over which axes to attend; all between batch and features, if not said.
    """

    num_heads = key(whole)
    key_dim = key(whole)
    value_dim = key(optional(whole), None)
    output_shape = key(optional(lambda v: (v,) if isinstance(v, int) else tuple(v)), None)
    attention_axes = key(optional(lambda v: (v,) if isinstance(v, int) else tuple(v)), None)

    def build(self, q: Shape, v: Shape, k: Shape) -> dict[str, Shape]:
        self.heads = self.key_heads = self.num_heads
        self.width, self.value_width = self.key_dim, self.value_dim or self.key_dim
        self.attention_axes = None if self.attention_axes is None else axes(self.attention_axes, len(q))
        return super().build(q, v, k)


@layer("GroupQueryAttention", "GroupedQueryAttention")
class GroupedQueryAttention(Heads):
    """Fewer heads for keys and values than for queries."""

    head_dim = key(whole)
    num_query_heads = key(whole)
    num_key_value_heads = key(whole)

    def build(self, q: Shape, v: Shape, k: Shape) -> dict[str, Shape]:
        self.heads, self.key_heads = self.num_query_heads, self.num_key_value_heads
        self.width = self.value_width = self.head_dim
        return super().build(q, v, k)
