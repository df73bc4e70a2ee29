"""Weights of a byte or half a byte, as `model.quantize` of Keras 3 leaves them, and inputs rounded to meet them.

A kernel of whole numbers K with a scale s per column means K / s. "int8" rounds the input as well, each row by its own
largest number: y = round(x r) K / (r s). "int4" packs two numbers in a byte and, in blocks of rows, means
(K - zero) scale; the input stays as it is.
Source: keras/src/quantizers/quantizers.py, keras/src/layers/core/dense.py
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from webkeras import ops
from webkeras.layers.base import Layer, key
from webkeras.shapes import Shape
from webkeras.text import short


class Policy(NamedTuple):
    """How a layer's weights are stored: bits of a number, and rows in a block that has a scale of its own (0: all)."""

    bits: int
    block: int = 0


class AbsMax(NamedTuple):
    """Numbers become whole, `high` being the largest of those that are rounded together."""

    low: float = -127.0
    high: float = 127.0
    epsilon: float = 1e-7

    def __call__(self, x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
        """x as whole numbers, and what it was multiplied by, 1 on `axes`."""
        scale = ops.divide(self.high, ops.add(ops.reduce(ops.absolute(x), fn="max", axes=axes), self.epsilon))
        return ops.minimum(ops.maximum(ops.round_(ops.multiply(x, scale)), self.low), self.high), scale


def policy(v: Any) -> Policy | None:
    """A dtype as files have it: None where it means plain floats."""
    config = v.get("config") or {} if isinstance(v, Mapping) else {"name": v}
    if not isinstance(config, Mapping):
        raise ValueError(f"{short(v)}; expected a dtype's name or policy")
    if isinstance(config.get("policy_map"), Mapping) and any(map(policy, config["policy_map"].values())):
        raise ValueError("DTypePolicyMap with quantised layers; expected a policy for each layer")
    mode = str(config.get("mode") or config.get("name") or "").partition("_from_")[0]
    if mode == "int8":
        return Policy(8)
    if found := re.fullmatch(r"int4/(-1|\d+)", mode):
        return Policy(4, max(0, int(found[1])))
    if mode.startswith(("int4", "float8", "gptq", "awq")):
        raise ValueError(f"weights quantised as {short(mode)}; expected int8, or int4 with its block size (int4/128)")
    return None


def rounding(v: Any) -> Any:
    """What a quantization_config does to inputs: an AbsMax, None for nothing, "default" where none is given."""
    if v is None:
        return "default"
    if not isinstance(v, Mapping) or not isinstance(v.get("config", {}), Mapping):
        raise ValueError(f"{short(v)}; expected the class_name and config of Keras")
    if v.get("class_name") not in ("Int8QuantizationConfig", "Int4QuantizationConfig"):
        raise ValueError(f"{short(v.get('class_name'))}; expected Int8QuantizationConfig or Int4QuantizationConfig")
    inputs = v.get("config", {}).get("activation_quantizer")
    if inputs is None:
        return None
    if not isinstance(inputs, Mapping) or inputs.get("class_name") != "AbsMaxQuantizer":
        raise ValueError(f"inputs quantised by {short(inputs)}; expected AbsMaxQuantizer")
    found = {"value_range": (-127, 127), "epsilon": 1e-7, **inputs.get("config", {})}
    low, high = found["value_range"]
    return AbsMax(float(low), float(high), float(found["epsilon"]))


class Quantizable(Layer):
    """A layer whose kernel may be quantised."""

    dtype = key(policy, None)
    quantization_config = key(rounding, None)

    names: Sequence[str] = ()

    @property
    def inputs(self) -> AbsMax | None:
        """What rounds the inputs: int8 alone has something where no quantization_config says."""
        if self.dtype is None or self.quantization_config != "default":
            return None if self.dtype is None else cast("AbsMax | None", self.quantization_config)
        return AbsMax() if self.dtype.bits == 8 else None

    def canonical(self, arrays: list[Any]) -> list[Any]:
        """In the order of `.keras` files, where an `.h5` file has another and tells by name."""
        return by_name(arrays, self.names)

    def stored(self, kernel: Shape, bias: Mapping[str, Shape]) -> dict[str, Shape]:
        """The weights of a kernel (rows, columns), as they are stored."""
        found: dict[str, Shape] = {"kernel": kernel, **bias}
        if self.dtype is not None:
            rows, columns = kernel
            block = self.dtype.block
            scale = (-(-rows // block), columns) if block else (columns,)
            found["kernel"] = (rows, packed(columns) if self.dtype.bits == 4 else columns)
            found |= {"kernel_scale": scale} | ({"kernel_zero": scale, "g_idx": (rows,)} if block else {})
        self.names = tuple(found)
        return found

    def whole(self, columns: int) -> tuple[Any, Any]:
        """The kernel, and the scale it is still to be divided by: None where that is done."""
        if self.dtype is None:
            return self.kernel, None
        kernel = unpacked(self.kernel, columns) if self.dtype.bits == 4 else self.kernel
        if self.dtype.block:
            return blocks(kernel, self.kernel_scale, self.kernel_zero, self.g_idx, 0), None
        return kernel, self.kernel_scale


def by_name(arrays: list[Any], names: Sequence[str], last: int = 1) -> list[Any]:
    """Arrays in the order of names, where these are the `last` parts of theirs."""
    named = {"_".join(str(getattr(a, "name", "")).partition(":")[0].split("/")[-last:]): a for a in arrays}
    return [named[n] for n in names] if set(named) == set(names) and len(arrays) == len(names) else arrays


def matmul(x: Any, kernel: Any, scale: Any, inputs: AbsMax | None) -> Any:
    """x (..., k) by whole numbers (k, n) / scale (n); `inputs` rounds every row of x first."""
    if scale is None:
        return ops.matmul(x, kernel)
    if inputs is None:
        return ops.divide(ops.matmul(x, kernel), scale)
    rows, own = inputs(x, (len(x.shape) - 1,))
    return ops.divide(ops.matmul(rows, kernel), ops.multiply(own, scale))


def packed(n: int) -> int:
    """How many bytes hold n halves."""
    return (n + 1) // 2


def unpacked(x: Any, n: int) -> Any:
    """The halves of bytes (..., packed(n)) as numbers from -8 to 7, the lower half first: (..., n)."""
    free, last = tuple(x.shape[:-1]), len(x.shape) - 1
    byte = ops.where(ops.less(x, 0.0), ops.add(x, 256.0), x)
    high = ops.floor(ops.divide(byte, 16.0))
    low = ops.subtract(byte, ops.multiply(high, 16.0))
    pairs = ops.concat(*(ops.reshape(h, shape=(*x.shape, 1)) for h in (low, high)), axis=last + 1)
    row = ops.reshape(pairs, shape=(*free, 2 * x.shape[-1]))
    y = ops.slice_(row, begin=(0,) * (last + 1), end=(*free, n), step=(1,) * (last + 1))
    return ops.where(ops.less(y, 8.0), y, ops.subtract(y, 16.0))


def blocks(x: Any, scale: Any, zero: Any, index: Any, axis: int) -> Any:
    """(x - zero) scale, each of the block that `index` names along the axis."""
    scale, zero = (ops.take(v, index, axis=axis) for v in (scale, zero))
    return ops.multiply(ops.subtract(x, zero), scale)
