"""Meanings that come from outside Python, the page's functions of typed arrays, for Lambda, activations and layers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webkeras import ops
from webkeras.errors import ConfigError
from webkeras.layers.base import Layer
from webkeras.shapes import Shape
from webkeras.spec import flat

Parts = Sequence[tuple[Any, Shape]]  # flat float32 buffers, each with its shape


@dataclass(frozen=True)
class Outside:
    """A custom object: `call(inputs, config, weights)` gives flat float32 numbers, or something to await for them.

    `shape` is the output's without the batch axis, None as the first input's, as a whole or axis by axis.
    """

    name: str
    call: Callable[[Parts, Mapping[str, Any], Parts], Any]
    shape: tuple[int | None, ...] | None = None

    def __call__(self, x: Any, **config: Any) -> Any:
        """As a function of a tensor or a list of them: a Lambda's, whose arguments are the config, or an activation."""
        return ops.outside(*flat(x), function=self, config=config)

    def layer(self, config: Mapping[str, Any], dialect: int, arrays: Sequence[Any]) -> Layer:
        """As a layer class."""
        return OutsideLayer(self, config, dialect, arrays)

    def __str__(self) -> str:
        return self.name


class OutsideLayer(Layer):
    """A layer of a class that only the function knows: it gets all the config, and all weights in the file's order."""

    def __init__(self, function: Outside, config: Mapping[str, Any], dialect: int, arrays: Sequence[Any]) -> None:
        """Raises ConfigError where the config holds a model, which a function cannot be handed."""
        self.function, self.config = function, dict(config)
        super().__init__({"name": config.get("name", "")}, dialect, arrays)
        try:
            json.dumps(self.config)
        except TypeError:
            raise ConfigError(f"{self}: its config holds a model; expected numbers, text, lists and objects") from None

    def bind(self, *xs: Any) -> None:
        """Nothing is known of the weights but their order."""

    def call(self, *xs: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise ConfigError(f"{self}: is called with {sorted(kwargs)}; expected tensors by position")
        weights = {"config": self.config, "weights": len(self.arrays)}
        return ops.outside(*flat(list(xs)), *self.arrays, function=self.function, **weights)

    def __str__(self) -> str:
        return f"{self.function.name} {self.name!r}"
