"""Outputs that stay on the GPU: what one model made is the next one's input, and nothing comes down in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webkeras.errors import WebKerasError
from webkeras.lazy import np
from webkeras.shapes import Shape


def numbers(y: Any) -> Any:
    """A backend's flat output as a numpy array of our own."""
    return np.frombuffer(y.to_bytes(), "float32") if hasattr(y, "to_bytes") else np.asarray(y, "float32")


@dataclass(frozen=True)
class Kept:
    """An output where the GPU left it: an input of any model's `predict`, and for numpy an array (float32, `shape`).

    It lasts until the model that made it predicts again with inputs of the same shapes, or is disposed of.
    """

    name: str
    shape: Shape
    executable: Any
    turn: int

    def __len__(self) -> int:
        """Samples."""
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self.check()
        y = numbers(self.executable.read()[self.name])
        return y.reshape(self.shape).astype(dtype or "float32", copy=False)

    def feed(self, executable: Any) -> Any:
        """What an executable takes: the texture itself on the same GPU, else the numbers.

        Raises WebKerasError where a later prediction has overwritten them.
        """
        self.check()
        if hasattr(executable, "output"):
            return self.executable.output(self.name)
        return np.asarray(self).ravel()

    def check(self) -> None:
        """Raises WebKerasError where a later prediction has overwritten the output."""
        if self.executable.turn != self.turn:
            raise WebKerasError(f"output {self.name!r} is gone: its model has predicted again; use it before that")
