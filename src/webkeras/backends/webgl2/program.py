"""Plan to what runner.js replays: plain data, textures that share a slot merged, equal programs and parameters once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from webkeras.backends.webgl2.layout import Flat, Layout, Tile
from webkeras.backends.webgl2.planner import Computed, Plan, Step
from webkeras.graph import Literal
from webkeras.shapes import size as size_of


class Listing:
    """Draws as rows of numbers, what they share told once."""

    def __init__(self, plan: Plan) -> None:
        self.textures = plan.textures
        self.sources: dict[tuple[str, tuple[str, ...]], int] = {}
        self.programs: list[dict[str, Any]] = []
        self.params: dict[str, int] = {}
        self.blocks: list[Mapping[str, Any]] = []
        self.targets: dict[tuple[tuple[int, int], ...], int] = {}

    def rows(self, steps: Sequence[Step]) -> list[Any]:
        """A row a draw."""
        out = []
        for s in steps:
            program = self.sources.setdefault((s.source.text, tuple(s.inputs)), len(self.sources))
            if program == len(self.programs):
                arrays = [int(not self.textures[t].plain) for t in s.inputs.values()]
                told = {"source": s.source.text, "samplers": list(s.inputs), "arrays": arrays, "writes": len(s.targets)}
                self.programs.append(told)
            block = self.params.setdefault(str(s.params), len(self.params))
            if block == len(self.blocks):
                self.blocks.append(s.params)
            slots = tuple((self.textures[t].slot, layer) for t, layer in s.targets)
            target = self.targets.setdefault(slots, len(self.targets))
            again = s.times if s.times[0] > 1 else ()
            read = [self.textures[t].slot for t in s.inputs.values()]
            out.append([program, block, target, *s.viewport, read, *again])
        return out

    def whole(self, prepare: Sequence[Step], steps: Sequence[Step]) -> dict[str, Any]:
        """The draws, and all that rows speak of but textures."""
        rows = {"prepare": self.rows(prepare), "steps": self.rows(steps)}
        return {"programs": self.programs, "targets": list(self.targets), "params": self.blocks, **rows}


def program(plan: Plan) -> tuple[str, list[Any]]:
    """(JSON text, the buffers its uploads speak of)."""
    buffers: list[Any] = []

    def slot(t: int) -> int:
        return plan.textures[t].slot

    def elements(tensor: Any, size: int) -> dict[str, Any]:
        """A constant, as common.js takes it."""
        if isinstance(tensor, Computed):
            return {"code": tensor.code, "of": [elements(x, size_of(x.shape)) for x in tensor.of], "length": size}
        if isinstance(tensor, Literal):
            return {"floats": list(tensor.floats)}
        if tensor.buffer not in buffers:
            buffers.append(tensor.buffer)
        where = {"buffer": buffers.index(tensor.buffer), "offset": tensor.offset, "length": size}
        return {**where, "type": tensor.type, "min": tensor.min, "scale": tensor.scale}

    def upload(i: int) -> dict[str, Any]:
        layout = plan.textures[i].layout
        return {"texture": slot(i), **lies(layout), **elements(plan.textures[i].upload, layout.size)}

    def end(t: int) -> dict[str, Any]:
        return {"texture": slot(t), "parts": parts(plan.textures[t].layout), "length": plan.textures[t].layout.size}

    def entry(name: str, t: int) -> dict[str, Any]:
        steps = plan.adopt.get(name, [])
        laid = [{"texture": slot(to), **lies(plan.textures[to].layout)} for s in steps for to in s.outs]
        read = t in needed or t in plan.outputs.values() or not steps
        adopt = {"adopt": Listing(plan).whole([], steps)} if steps else {}
        return {**end(t), "read": read, "laid": laid, **adopt}

    needed = {t for s in plan.steps for t in s.inputs.values()}
    ends = {*plan.inputs.values(), *plan.outputs.values()}
    kept = {slot(t) for t in needed | ends} | {slot(t) for s in plan.steps for t in s.outs}
    whole = {
        "textures": plan.slots,
        "half": plan.half,
        "uploads": [upload(i) for i, t in enumerate(plan.textures) if t.upload is not None],
        **Listing(plan).whole(plan.prepare, plan.steps),
        "constants": sorted(kept),
        "inputs": {name: entry(name, t) for name, t in plan.inputs.items()},
        "outputs": {name: end(t) for name, t in plan.outputs.items()},
    }
    return json.dumps(whole), buffers


def lies(layout: Layout) -> dict[str, Any]:
    """How elements in order are written into a layout: in parts, or pixel by pixel where it has several layers."""
    if isinstance(layout, Tile) and layout.lanes > 1:
        return {"w": layout.w, "c": layout.c, "lanes": layout.lanes, "stacked": layout.stacked}
    if isinstance(layout, Tile) and not layout.in_order:
        return {"parts": parts(layout), "row": layout.c, "gap": 4 * layout.c4 - layout.c}
    return {"parts": parts(layout)}


def parts(layout: Layout) -> list[list[int]]:
    """Where the elements of a layout that holds them in order lie: rectangles (x, y, width, height), each with its
    first texel and how many texels lie from one of its rows to the next."""
    if isinstance(layout, Flat) or not layout.folded:
        width, height, _ = layout.texture
        return [[0, 0, width, height, 0, width]]
    (width, height), (columns, rows, *_) = layout.plain, layout.fold
    right = [[i // rows * width, 0, width, min(rows, height - i), i * width, width] for i in range(0, height, rows)]
    down = [[0, i // columns * height, min(columns, width - i), height, i, width] for i in range(0, width, columns)]
    return right if len(right) > 1 else down
