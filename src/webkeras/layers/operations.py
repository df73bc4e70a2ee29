"""Operations inside functional graphs: Keras 3's `keras.ops` nodes, and the TFOpLambda and SlicingOpLambda of Keras 2.

Two tables say what a name means: a function of tensors, and of numbers where the file has numbers.

Source: keras/src/ops/numpy.py and nn.py; Keras 2 layers/core/tf_op_layer.py with TensorFlow's functions
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from webkeras import ops
from webkeras.errors import ConfigError
from webkeras.layers import functions as f
from webkeras.layers.activation import ACTIVATIONS, elu, gelu, softmax
from webkeras.layers.base import Layer, layer
from webkeras.shapes import size


@layer("Operation", "TFOpLambda", "SlicingOpLambda")
class Operation(Layer):
    """A function of tensors by name; what the config has beside it are its arguments."""

    def __init__(self, config: Mapping[str, Any], dialect: int = 3, arrays: Sequence[Any] = ()) -> None:
        own = ("name", "function") if dialect >= 3 else ("name", "function", "trainable", "dtype")
        self.options = {k: v for k, v in config.items() if k not in own}
        super().__init__({"name": config.get("name", "")}, dialect, arrays)
        name = str(config.get("function")).removeprefix("compat.v1.")
        known, self.positional = (name, "") if dialect >= 3 else TENSORFLOW.get(name, ("", ""))
        if known not in OPERATIONS:
            raise ConfigError(
                f"{self}: operation {name!r} is unknown (Keras {int(dialect)}); build the model without it"
            )
        self.function = OPERATIONS[known]

    def bind(self, *xs: Any) -> None:
        """Nothing: an operation has no weights, and its arguments may be numbers."""

    def call(self, *xs: Any, **kwargs: Any) -> Any:
        named = {k: v for k, v in {**self.options, **kwargs}.items() if v is not None and (k, v) not in NOTHING}
        xs += tuple(named.pop(k) for k in self.positional.split() if k in named)
        signature = inspect.signature(self.function)
        try:
            given = signature.bind(*xs, **named)
        except TypeError as e:
            raise ConfigError(f"{self}: {e}; expected arguments {signature}") from None
        return self.function(*given.args, **given.kwargs)


NOTHING = (("conjugate", False), ("batch_dims", 0), ("sparse", False))  # at their defaults they say nothing

OPERATIONS: dict[str, f.Function] = {
    **{name: g for name, g in ACTIVATIONS.items() if name not in ("linear", "swish", "exponential")},
    **{name: getattr(ops, name) for name in ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum")},
    **{name: getattr(ops, name) for name in ("less", "less_equal", "equal", "negative", "absolute", "sign", "floor")},
    **{name: getattr(ops, name) for name in ("exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "sin", "cos", "erf")},
    "true_divide": ops.divide,
    "floor_divide": lambda x1, x2: ops.floor(ops.divide(x1, x2)),
    "mod": f.modulo,
    "not_equal": f.not_equal,
    "greater": lambda x1, x2: ops.less(x2, x1),
    "greater_equal": lambda x1, x2: ops.less_equal(x2, x1),
    "logical_and": lambda x1, x2: ops.multiply(f.truth(x1), f.truth(x2)),
    "logical_or": lambda x1, x2: ops.maximum(f.truth(x1), f.truth(x2)),
    "logical_not": lambda x: ops.equal(x, 0.0),
    "where": lambda condition, x1, x2: ops.where(condition, x1, x2),
    "square": f.square,
    "reciprocal": lambda x: ops.divide(1.0, x),
    "ceil": lambda x: ops.negative(ops.floor(ops.negative(x))),
    "round": f.round_,
    "trunc": f.truncated,
    "log2": f.log_to(2.0),
    "log10": f.log_to(10.0),
    "tan": lambda x: ops.divide(ops.sin(x), ops.cos(x)),
    "sinh": lambda x: ops.multiply(ops.subtract(ops.exp(x), ops.exp(ops.negative(x))), 0.5),
    "cosh": lambda x: ops.multiply(ops.add(ops.exp(x), ops.exp(ops.negative(x))), 0.5),
    "clip": f.clip,
    "cast": f.cast,
    "sum": f.reducing("sum"),
    "mean": f.reducing("mean"),
    "max": f.reducing("max"),
    "amax": f.reducing("max"),
    "min": f.reducing("min"),
    "amin": f.reducing("min"),
    "prod": f.reducing("prod"),
    "any": f.any_,
    "all": f.all_,
    "var": f.variance,
    "std": f.deviation,
    "logsumexp": f.logsumexp,
    "matmul": f.matmul,
    "reshape": f.reshape,
    "transpose": f.transpose,
    "swapaxes": f.swapaxes,
    "moveaxis": f.moveaxis,
    "expand_dims": f.expand_dims,
    "squeeze": f.squeeze,
    "ravel": lambda x: ops.reshape(x, shape=(size(x.shape),)),
    "concatenate": f.concatenate,
    "stack": f.stack,
    "split": f.split,
    "unstack": f.unstack,
    "flip": f.flip,
    "roll": f.roll,
    "repeat": f.repeat,
    "tile": f.tile,
    "broadcast_to": f.broadcast_to,
    "pad": f.pad,
    "take": f.take,
    "get_item": f.get_item,
    "normalize": f.normalize,
    "one_hot": f.one_hot,
    "leaky_relu": f.leaky_relu,
    "elu": elu,
    "glu": f.glu,
    "gelu": lambda x, approximate=True: gelu(x, approximate),
    "softmax": softmax,
    "stop_gradient": lambda variable: variable,
    "copy": lambda x: x,
    "zeros_like": lambda x, dtype=None: ops.multiply(x, 0.0),
    "ones_like": lambda x, dtype=None: ops.add(ops.multiply(x, 0.0), 1.0),
    "l2_normalize": f.l2_normalize,
    "gather": f.gather,
    "split_sizes": f.split_sizes,
    "gelu_exact": lambda features, approximate=False: gelu(features, approximate),
}

# TensorFlow's names, and the arguments after the first that it names as we do not
RENAMED = {
    "clip_by_value": ("clip", "clip_value_min clip_value_max"),
    "where": ("where", "x y"),
    "linalg.matmul": ("matmul", "b"),
    "reshape": ("reshape", "shape"),
    "transpose": ("transpose", "perm"),
    "split": ("split_sizes", "num_or_size_splits"),
    "tile": ("tile", "multiples"),
    "pad": ("pad", "paddings"),
    "one_hot": ("one_hot", "depth"),
    "nn.leaky_relu": ("leaky_relu", "alpha"),
    "__operators__.getitem": ("get_item", "slice_spec"),
}
BINARY = {
    "add": "add __operators__.add math.add",
    "subtract": "subtract math.subtract",
    "multiply": "multiply math.multiply",
    "divide": "divide math.divide math.truediv realdiv",
    "floor_divide": "math.floordiv floor_div",
    "mod": "math.floormod math.mod",
    "power": "pow math.pow",
    "maximum": "maximum math.maximum",
    "minimum": "minimum math.minimum",
    "less": "less math.less",
    "less_equal": "math.less_equal",
    "greater": "math.greater",
    "greater_equal": "math.greater_equal",
    "equal": "equal math.equal __operators__.eq",
    "not_equal": "math.not_equal __operators__.ne",
    "logical_and": "math.logical_and",
    "logical_or": "math.logical_or",
}
PLAIN = {
    "absolute": "abs math.abs",
    "negative": "negative math.negative",
    "sign": "sign math.sign",
    "floor": "floor math.floor",
    "ceil": "math.ceil",
    "round": "round math.round",
    "exp": "exp math.exp",
    "expm1": "math.expm1",
    "log": "math.log",
    "log1p": "math.log1p",
    "sqrt": "sqrt math.sqrt",
    "rsqrt": "math.rsqrt",
    "square": "square math.square",
    "reciprocal": "math.reciprocal",
    "sin": "sin math.sin",
    "cos": "cos math.cos",
    "tanh": "tanh math.tanh nn.tanh keras.activations.tanh",
    "erf": "math.erf",
    "sigmoid": "sigmoid math.sigmoid nn.sigmoid keras.activations.sigmoid",
    "relu": "nn.relu keras.activations.relu",
    "relu6": "nn.relu6",
    "selu": "nn.selu",
    "elu": "nn.elu",
    "softplus": "nn.softplus math.softplus",
    "softsign": "nn.softsign",
    "silu": "nn.silu nn.swish",
    "logical_not": "math.logical_not",
    "stop_gradient": "stop_gradient identity",
    "cast": "cast",
    "expand_dims": "expand_dims",
    "squeeze": "squeeze",
    "concatenate": "concat",
    "stack": "stack",
    "unstack": "unstack",
    "flip": "reverse",
    "repeat": "repeat",
    "gather": "gather",
    "broadcast_to": "broadcast_to",
    "softmax": "nn.softmax",
    "gelu_exact": "nn.gelu",
    "l2_normalize": "math.l2_normalize nn.l2_normalize",
    "sum": "reduce_sum math.reduce_sum",
    "mean": "reduce_mean math.reduce_mean",
    "max": "reduce_max math.reduce_max",
    "min": "reduce_min math.reduce_min",
    "prod": "reduce_prod math.reduce_prod",
    "any": "reduce_any math.reduce_any",
    "all": "reduce_all math.reduce_all",
    "var": "math.reduce_variance",
    "std": "math.reduce_std",
    "logsumexp": "reduce_logsumexp math.reduce_logsumexp",
    "zeros_like": "zeros_like",
    "ones_like": "ones_like",
}
TENSORFLOW = {
    **RENAMED,
    **{tf: (name, "y") for name, spelled in BINARY.items() for tf in spelled.split()},
    **{tf: (name, "") for name, spelled in PLAIN.items() for tf in spelled.split()},
}
