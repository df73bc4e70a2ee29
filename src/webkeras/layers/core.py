"""Dense and its kin, embeddings, and the layers that only make masks or do nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webkeras import ops
from webkeras.errors import ConfigError
from webkeras.layers.activation import activation
from webkeras.layers.base import Layer, custom, key, layer
from webkeras.layers.read import anything, boolean, one_of, optional, whole
from webkeras.ops.einsum import labels
from webkeras.shapes import Shape

#: Saving merges a low-rank adaptation into the kernel (keras/src/layers/core/dense.py:save_own_variables).
LORA = ("lora_rank", "lora_alpha")


@layer("InputLayer")
class InputLayer(Layer):
    """Where data enters; the model feeds it."""

    sparse = key(boolean, False)
    ragged = key(boolean, False)
    optional = key(boolean, False)

    def call(self, x: Any) -> Any:
        return x


@layer("Dense", "TimeDistributedDense")
class Dense(Layer):
    """x @ kernel + bias over the last axis, then the activation.

    x (..., c) -> (..., units)
    Source: keras/src/layers/core/dense.py
    """

    mask = "pass"
    training = LORA
    units = key(whole, keras1="output_dim")
    activation = activation()
    use_bias = key(boolean, True, keras1="bias")
    quantization_config = key(one_of(None), None)

    def build(self, x: Shape) -> dict[str, Shape]:
        return {"kernel": (x[-1], self.units)} | ({"bias": (self.units,)} if self.use_bias else {})

    def call(self, x: Any) -> Any:
        rows = x if len(x.shape) > 1 else ops.reshape(x, shape=(1, *x.shape))
        y = ops.matmul(rows, self.kernel)
        return self.activation(y + self.bias if self.use_bias else y)


@layer("EinsumDense")
class EinsumDense(Layer):
    """einsum(equation, x, kernel) + bias, then the activation; output_shape gives the letters that x has not.

    Source: keras/src/layers/core/einsum_dense.py
    """

    training = LORA
    equation = key(str)
    output_shape = key(lambda v: tuple(v) if isinstance(v, list | tuple) else (v,))
    bias_axes = key(optional(str), None)
    activation = activation()
    gptq_unpacked_column_size = key(one_of(None), None)
    quantization_config = key(one_of(None), None)

    def build(self, x: Shape) -> dict[str, Shape]:
        kernel = self.equation.partition("->")[0].split(",")[1].strip()
        left, right, out = labels(self.equation, len(x), len(kernel))
        at = {letter: len(out) - i for i, letter in enumerate(out)}
        sizes = dict(zip(left, x, strict=True))
        for letter in {*right, *(self.bias_axes or "")} - set(left):
            if letter not in at or at[letter] > len(self.output_shape):
                raise ConfigError(
                    f"{self}: equation {self.equation!r} leaves the size of {letter!r} open; give output_shape"
                )
            sizes[letter] = self.output_shape[-at[letter]]
        weights = {"kernel": tuple(sizes[letter] for letter in right)}
        if self.bias_axes:
            first = min(out.index(letter) for letter in self.bias_axes)
            weights["bias"] = tuple(sizes[letter] if letter in self.bias_axes else 1 for letter in out[first:])
        return weights

    def call(self, x: Any) -> Any:
        y = ops.einsum(self.equation, x, self.kernel)
        return self.activation(y + self.bias if self.bias_axes else y)


@layer("Embedding")
class Embedding(Layer):
    """Rows of a table by number: x (n, ...) of whole numbers -> (n, ..., output_dim).

    mask_zero: the mask of the output is 0 where x is 0.
    Source: keras/src/layers/core/embedding.py
    """

    mask = "use"
    training = LORA
    input_dim = key(whole)
    output_dim = key(whole)
    mask_zero = key(boolean, False)
    input_length = key(anything, None)
    sparse = key(one_of(False), False)
    quantization_config = key(one_of(None), None)

    def build(self, x: Shape) -> dict[str, Shape]:
        return {"embeddings": (self.input_dim, self.output_dim)}

    def call(self, x: Any, mask: Any = None) -> Any:
        return ops.take(self.embeddings, x, axis=0)

    def compute_mask(self, x: Any, mask: Any) -> Any:
        return ops.subtract(1.0, ops.equal(x, 0.0)) if self.mask_zero else None


@layer("ReversibleEmbedding")
class ReversibleEmbedding(Embedding):
    """An embedding that, called with reverse=True, gives back logits: x @ transpose(embeddings), capped softly.

    Source: keras/src/layers/core/reversible_embedding.py
    """

    tie_weights = key(boolean, True)
    reverse_dtype = key(one_of(None, "float32"), None)
    logit_soft_cap = key(optional(float), None)
    reverse = False

    def build(self, x: Shape) -> dict[str, Shape]:
        back = {} if self.tie_weights else {"reverse_embeddings": (self.output_dim, self.input_dim)}
        return super().build(x) | back

    def call(self, x: Any, mask: Any = None, reverse: bool = False) -> Any:
        self.reverse = reverse
        if not reverse:
            return super().call(x)
        kernel = ops.transpose(self.embeddings, perm=(1, 0)) if self.tie_weights else self.reverse_embeddings
        y, cap = ops.matmul(x, kernel), self.logit_soft_cap
        return y if cap is None else ops.multiply(ops.tanh(ops.divide(y, cap)), cap)

    def compute_mask(self, x: Any, mask: Any) -> Any:
        return None if self.reverse else super().compute_mask(x, mask)


@layer("Masking")
class Masking(Layer):
    """Timesteps whose features all equal mask_value become zeros and are masked.

    x (n, t, ..., c), mask (n, t, ...)
    Source: keras/src/layers/core/masking.py
    """

    mask = "use"
    mask_value = key(float, 0.0)

    def call(self, x: Any, mask: Any = None) -> Any:
        return ops.multiply(x, self.kept(x))

    def kept(self, x: Any) -> Any:
        """1 where a timestep is kept, (n, t, ..., 1)."""
        return ops.subtract(1.0, ops.reduce(ops.equal(x, self.mask_value), fn="min", axes=(len(x.shape) - 1,)))

    def compute_mask(self, x: Any, mask: Any) -> Any:
        return ops.reshape(self.kept(x), shape=tuple(x.shape[:-1]))


@layer("Identity")
class Identity(Layer):
    """x, mask and all."""

    mask = "pass"

    def call(self, x: Any) -> Any:
        return x


@layer("Lambda")
class Lambda(Layer):
    """A function that `custom_objects` gives, by the layer's name or the function's; a file's code is never run."""

    function = key(anything)
    function_type = key(anything, None)
    arguments = key(lambda v: dict(v or {}), {})

    training = ("module", "output_shape", "output_shape_type", "output_shape_module", "mask")

    def __init__(self, config: Any, dialect: int = 3, arrays: Any = ()) -> None:
        super().__init__(config, dialect, arrays)
        names, code = [self.name], self.function
        if isinstance(code, Mapping) and code.get("class_name") == "function":
            names.append(str(code.get("config")))
        elif self.function_type == "function":
            names.append(str(code))
        meaning = next(filter(None, map(custom, names)), None)
        if meaning is None:
            raise ConfigError(
                f"{self}: its code is in the file and is not run; "
                f'give its meaning in custom_objects={{"{names[-1]}": function}}'
            )
        self.function = meaning

    def call(self, x: Any) -> Any:
        return self.function(x, **self.arguments)
