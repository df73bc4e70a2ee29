"""Which Keras wrote a file: its dialect, and within the dialect the version, where a meaning changed later."""

from __future__ import annotations

import re
from typing import Self


class Version(int):
    """1, 2 or 3, as an int everywhere; `number` and `tf` (Keras inside TensorFlow 2) tell more.

    Made of "2.1.2", "2.4.0", "2.2.4-tf", or of a dialect alone, which stands for its newest version.
    """

    number: tuple[int, ...]
    tf: bool
    theano: bool = False  # were the kernels trained on Theano, which turns them around?

    def __new__(cls, version: str | int, theano: bool = False) -> Self:
        if isinstance(version, cls):
            return version
        text = str(version)
        number = tuple(int(n) for n in re.findall(r"\d+", text.split("-")[0])) or (2,)
        self = super().__new__(cls, max(1, number[0]))
        self.number = number if len(number) > 1 else {1: (1, 2, 2), 2: (2, 15, 0)}.get(self, (3, 15, 1))
        self.tf = self >= 3 or "tf" in text or self.number >= (2, 4)
        self.theano = theano
        return self
