"""Dense and its kin, embeddings, and the layers that only make masks or do nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

from webkeras import ops
from webkeras.errors import ConfigError
from webkeras.layers.activation import activation
from webkeras.layers.base import Layer, custom, key, layer, to_give
from webkeras.layers.quantized import Quantizable, blocks, matmul, packed, unpacked
from webkeras.layers.read import anything, boolean, one_of, optional, whole
from webkeras.ops.einsum import labels
from webkeras.shapes import Shape, size

#: Saving merges a low-rank adaptation into the kernel (keras/src/layers/core/dense.py:save_own_variables).
LORA = ("lora_rank", "lora_alpha")


@layer("InputLayer")
class InputLayer(Layer):
    """Where data enters; the model feeds it. Rows of unequal length are refused: pad them, and mask the padding."""

    sparse = key(boolean, False)
    ragged = key(one_of(False), False)
    optional = key(boolean, False)

    def call(self, x: Any) -> Any:
        return x


@layer("Dense", "TimeDistributedDense")
class Dense(Quantizable):
    """x @ kernel + bias over the last axis, then the activation.

    x (..., c) -> (..., units); quantised as quantized.py says.
    Source: keras/src/layers/core/dense.py
    """

    mask = "pass"
    training = LORA
    units = key(whole, keras1="output_dim")
    activation = activation()
    use_bias = key(boolean, True, keras1="bias")

    def build(self, x: Shape) -> dict[str, Shape]:
        return self.stored((x[-1], self.units), {"bias": (self.units,)} if self.use_bias else {})

    def call(self, x: Any) -> Any:
        rows = x if len(x.shape) > 1 else ops.reshape(x, shape=(1, *x.shape))
        y = matmul(rows, *self.whole(self.units), self.inputs)
        return self.activation(y + self.bias if self.use_bias else y)


@layer("EinsumDense")
class EinsumDense(Quantizable):
    """einsum(equation, x, kernel) + bias, then the activation; output_shape gives the letters that x has not.

    An int8 kernel has a scale of the output's axes, an int4 one is stored as a matrix: letters that the output lacks,
    letters that it has.
    Source: keras/src/layers/core/einsum_dense.py
    """

    training = LORA
    equation = key(str)
    output_shape = key(lambda v: tuple(v) if isinstance(v, list | tuple) else (v,))
    bias_axes = key(optional(str), None)
    activation = activation()
    gptq_unpacked_column_size = key(one_of(None), None)

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
        self.shape = tuple(sizes[letter] for letter in right)
        first = min((out.index(letter) for letter in self.bias_axes or ""), default=0)
        bias = tuple(sizes[letter] if letter in (self.bias_axes or "") else 1 for letter in out[first:])
        biases = {"bias": bias} if self.bias_axes else {}
        self.lost = tuple(i for i, letter in enumerate(left) if letter not in out)  # axes that the sum is over
        self.back = [left.index(letter) if letter in left else None for letter in out]
        self.columns = size(sizes[letter] for letter in right if letter in out)
        if self.dtype is not None and self.dtype.bits == 8:
            scale = tuple(sizes[letter] if letter in right else 1 for letter in out)
            self.names = ("kernel", *biases, "kernel_scale")
            return {"kernel": self.shape, **biases, "kernel_scale": scale}
        if self.dtype is not None:
            return self.stored((size(self.shape) // self.columns, self.columns), biases)
        return {"kernel": self.shape, **biases}

    def call(self, x: Any) -> Any:
        y = self.product(x)
        return self.activation(y + self.bias if self.bias_axes else y)

    def product(self, x: Any) -> Any:
        """The einsum, of rounded inputs where the layer is quantised."""
        kernel, scale = self.whole(self.columns)
        own = None
        if self.dtype is not None:
            if self.dtype.bits == 4:
                kernel, scale = (kernel if scale is None else ops.divide(kernel, scale)), None
                kernel = ops.reshape(kernel, shape=self.shape)
            if self.inputs is not None:
                x, own = self.inputs(x, self.lost)
                own = ops.reshape(own, shape=tuple(1 if i is None else x.shape[i] for i in self.back))
        y = ops.einsum(self.equation, x, kernel)
        scales = [s for s in (own, scale) if s is not None]
        return ops.divide(y, reduce(ops.multiply, scales)) if scales else y


@layer("Embedding")
class Embedding(Quantizable):
    """Rows of a table by number: x (n, ...) of whole numbers -> (n, ..., output_dim).

    mask_zero: the mask of the output is 0 where x is 0. Quantised, every row of the table has a scale.
    Source: keras/src/layers/core/embedding.py
    """

    mask = "use"
    training = LORA
    input_dim = key(whole)
    output_dim = key(whole)
    mask_zero = key(boolean, False)
    input_length = key(anything, None)
    sparse = key(one_of(False), False)

    def build(self, x: Shape) -> dict[str, Shape]:
        n, d = self.input_dim, self.output_dim
        found: dict[str, Shape] = {"embeddings": (n, d)}
        if self.dtype is not None:
            block = self.dtype.block
            scale = (n, -(-d // block)) if block else (n,)
            found = {"embeddings": (n, packed(d) if self.dtype.bits == 4 else d), "embeddings_scale": scale}
            found |= {"embeddings_zero": scale, "g_idx": (d,)} if block else {}
        self.names = tuple(found)
        return found

    def table(self) -> tuple[Any, Any]:
        """The embeddings, and what each row is still to be divided by: None where that is done."""
        if self.dtype is None:
            return self.embeddings, None
        rows = self.embeddings if self.dtype.bits == 8 else unpacked(self.embeddings, self.output_dim)
        if self.dtype.block:
            return blocks(rows, self.embeddings_scale, self.embeddings_zero, self.g_idx, 1), None
        return rows, self.embeddings_scale

    def call(self, x: Any, mask: Any = None) -> Any:
        rows, scale = self.table()
        rows = rows if scale is None else ops.divide(rows, ops.reshape(scale, shape=(self.input_dim, 1)))
        return ops.take(rows, x, axis=0)

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
        n, d = self.input_dim, self.output_dim
        back: dict[str, Shape] = {} if self.tie_weights else {"reverse_embeddings": (d, n)}
        if back and self.dtype is not None:
            block = self.dtype.block
            scale = (-(-d // block), n) if block else (n,)
            back = {"reverse_embeddings": (packed(d) if self.dtype.bits == 4 else d, n)}
            back |= {"reverse_embeddings_scale": scale} | ({"reverse_embeddings_zero": scale} if block else {})
        found = super().build(x) | back
        self.names = tuple(found)
        return found

    def kernel_back(self) -> tuple[Any, Any]:
        """The kernel of the way back, (output_dim, input_dim), and its scale, as `table` has them."""
        if self.tie_weights:
            rows, scale = self.table()
            return ops.transpose(rows, perm=(1, 0)), scale
        if self.dtype is None:
            return self.reverse_embeddings, None
        kernel = self.reverse_embeddings
        if self.dtype.bits == 4:
            kernel = ops.transpose(unpacked(ops.transpose(kernel, perm=(1, 0)), self.output_dim), perm=(1, 0))
        if self.dtype.block:
            return blocks(kernel, self.reverse_embeddings_scale, self.reverse_embeddings_zero, self.g_idx, 0), None
        return kernel, self.reverse_embeddings_scale

    def call(self, x: Any, mask: Any = None, reverse: bool = False) -> Any:
        self.reverse = reverse
        if not reverse:
            return super().call(x)
        y, cap = matmul(x, *self.kernel_back(), self.inputs), self.logit_soft_cap
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


@layer("LayerScale")
class LayerScale(Layer):
    """x * gamma, a factor for every channel; ConvNeXt of keras.applications has it.

    Source: keras/src/applications/convnext.py
    """

    projection_dim = key(whole)
    training = ("init_values",)

    def build(self, x: Shape) -> dict[str, Shape]:
        return {"gamma": (self.projection_dim,)}

    def call(self, x: Any) -> Any:
        return x * self.gamma


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
                f"{self}: its code is in the file and is not run; give its meaning in {to_give(names[-1])}"
            )
        self.function = meaning

    def call(self, x: Any) -> Any:
        return self.function(x, **self.arguments)
