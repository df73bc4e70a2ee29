"""Products of images whose last block holds one pixel: it is drawn by itself, by fragments that write one texel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from webkeras.backends.webgl2.layout import Tile

if TYPE_CHECKING:
    from webkeras.backends.webgl2.planner import Step, Texture

SHARING = {"SQUARE", "EACH_GROUP", "EACH_TELL"}  # there is nothing to share for one pixel


def tails(steps: Iterable[Step], textures: Sequence[Texture]) -> list[Step]:
    """The draws, those of products by squares in two where that saves most of the last block.

    Of an image 17 wide a third of all fragments makes a seventeenth of the pixels.
    """
    found: list[Step] = []
    for s in steps:
        layout = textures[s.targets[0][0]].layout
        if s.shader != "matmul.glsl" or "SQUARE" not in s.defines or not isinstance(layout, Tile) or not _odd(layout):
            found.append(s)
            continue
        blocks = layout.w // layout.lanes + 1
        (x, y, width, height), (times, apart) = s.viewport, s.times
        if times == 1:  # all blocks, side by side
            width = apart = width // blocks
            most = replace(s, viewport=(x, y, width * (blocks - 1), height))
        else:
            most = replace(s, times=(blocks - 1, apart))
        defines = {k: v for k, v in s.defines.items() if k not in SHARING} | {"EACH_LANE": "EACH_1"}
        last = (x + (blocks - 1) * apart, y, width, height)
        found += [most, replace(s, viewport=last, times=(1, 0), targets=s.targets[:1], defines=defines)]
    return found


def _odd(layout: Tile) -> bool:
    return layout.w > layout.lanes and layout.w % layout.lanes == 1
