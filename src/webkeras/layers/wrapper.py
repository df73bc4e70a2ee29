"""Layers around a layer."""

from __future__ import annotations

from typing import Any

from webkeras import ops
from webkeras.errors import ConfigError, ShapeError, WeightsError
from webkeras.graph import Value
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.cells import child, flat
from webkeras.layers.layout import flip
from webkeras.layers.quantized import Quantizable
from webkeras.layers.read import one_of
from webkeras.layers.recurrent import Recurrent, absent, unmasked
from webkeras.version import Version


class Wrapper(Layer):
    """A layer that hands its weights to the layer inside."""

    mask = "use"

    layer = key(child, versioned=True)

    def bind(self, *xs: Any) -> None:
        """The layer inside binds; a model inside has its weights already."""
        if isinstance(self.layer, Layer):
            self.layer.arrays = self.arrays


@layer("TimeDistributed")
class TimeDistributed(Wrapper):
    """The layer inside at every step: x (n, t, ...) is (n t, ...) to it.

    Keras answers wrongly where that is quantised: it leaves the scales out. That is refused.
    Source: keras/src/layers/rnn/time_distributed.py
    """

    def call(self, x: Any, mask: Any = None, training: Any = None) -> Any:
        if len(x.shape) < 3:
            raise ShapeError(f"{self}: the input is {tuple(x.shape)}; expected (n, t, ...)")
        if isinstance(self.layer, Quantizable) and self.layer.dtype is not None:
            raise ConfigError(f"{self}: {self.layer} is quantised, which Keras answers wrongly; quantise without it")
        n, t = x.shape[:2]
        rows = ops.reshape(x, shape=(n * t, *x.shape[2:]))
        if isinstance(rows, Value) and mask is not None and len(mask.shape) > 2:
            rows.mask = ops.reshape(mask, shape=(n * t, *mask.shape[2:]))
        y = self.layer(rows)
        return ops.reshape(y, shape=(n, t, *y.shape[1:]))


@layer("Bidirectional")
class Bidirectional(Wrapper):
    """A recurrent layer forwards, another backwards, both results merged.

    Source: keras/src/layers/rnn/bidirectional.py
    """

    merge_mode = key(one_of("concat", "sum", "mul", "ave", None), "concat")
    backward_layer = key(child, None, versioned=True)
    num_constants = key(one_of(None, 0), None)

    def __init__(self, config: Any, dialect: int = 3, arrays: Any = ()) -> None:
        super().__init__(config, dialect, arrays)
        if not isinstance(self.layer, Recurrent):
            raise ConfigError(f"{self}: {self.layer} stands where a recurrent layer was expected")
        if self.backward_layer is None:
            self.backward_layer = child(config["layer"], dialect)
            self.backward_layer.go_backwards = not self.backward_layer.go_backwards
        self.sides: list[Recurrent] = [self.layer, self.backward_layer]
        if Version(dialect).tf:
            for side in self.sides:
                side.zero_output_for_mask = side.return_sequences

    def bind(self, *xs: Any) -> None:
        """Each side binds its half of the weights."""
        if len(self.arrays) % 2:
            raise WeightsError(f"{self}: the file has {len(self.arrays)} weights; expected as many for each direction")
        half = len(self.arrays) // 2
        self.layer.arrays, self.backward_layer.arrays = self.arrays[:half], self.arrays[half:]

    def __call__(self, *xs: Any, **kwargs: Any) -> Any:
        return super().__call__(*unmasked(self.dialect, xs, kwargs), **kwargs)

    def call(self, x: Any, *states: Any, initial_state: Any = None, mask: Any = None, **rest: Any) -> Any:
        absent(self, rest)
        x, *given = flat([x, states, initial_state])
        mask = mask[0] if isinstance(mask, list) else mask
        half = len(given) // 2
        (y, *after), (back, *after_back) = (
            flat(side(x, *part, mask=mask)) for side, part in zip(self.sides, (given[:half], given[half:]), strict=True)
        )
        if self.layer.return_sequences:
            back = flip(back, 0 if self.layer.time_major else 1)
        merged = self.merged(y, back)
        return [*merged, *after, *after_back] if len(merged) > 1 or after else merged[0]

    def merged(self, y: Any, back: Any) -> list[Any]:
        """Both directions as one tensor, or as two."""
        if self.merge_mode is None:
            if isinstance(back, Value):
                back.mask = y.mask
            return [y, back]
        if self.merge_mode == "concat":
            return [ops.concat(y, back, axis=len(y.shape) - 1)]
        both = ops.multiply(y, back) if self.merge_mode == "mul" else ops.add(y, back)
        return [ops.multiply(both, 0.5) if self.merge_mode == "ave" else both]

    def compute_mask(self, x: Any, mask: Any) -> Any:
        return self.layer.compute_mask(x, mask)
