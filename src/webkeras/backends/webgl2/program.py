"""Plan to what runner.js replays: plain data, textures that share a slot merged, equal programs and parameters once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from webkeras.backends.webgl2.layout import Flat, Layout, Tile
from webkeras.backends.webgl2.planner import Plan, Step
from webkeras.graph import Literal


def program(plan: Plan) -> tuple[str, list[Any]]:
    """(JSON text, the buffers its uploads speak of)."""
    sources: dict[tuple[str, tuple[str, ...]], int] = {}
    params: dict[str, int] = {}
    blocks: list[Mapping[str, Any]] = []
    targets: dict[tuple[tuple[int, int], ...], int] = {}
    buffers: list[Any] = []

    def slot(t: int) -> int:
        return plan.textures[t].slot

    def rows(steps: Sequence[Step]) -> list[Any]:
        out = []
        for s in steps:
            program = sources.setdefault((s.source.text, tuple(s.inputs)), len(sources))
            block = params.setdefault(str(s.params), len(params))
            if block == len(blocks):
                blocks.append(s.params)
            target = targets.setdefault(tuple((slot(t), layer) for t, layer in s.targets), len(targets))
            again = s.times if s.times[0] > 1 else ()
            out.append([program, block, target, *s.viewport, [slot(t) for t in s.inputs.values()], *again])
        return out

    def upload(i: int) -> dict[str, Any]:
        tensor: Any = plan.textures[i].upload
        layout = plan.textures[i].layout
        where: dict[str, Any] = {"texture": slot(i), "parts": parts(layout)}
        if isinstance(layout, Tile) and not layout.in_order:
            where |= {"row": layout.c, "gap": 4 * layout.c4 - layout.c}
        if isinstance(tensor, Literal):
            return {**where, "floats": list(tensor.floats)}
        if tensor.buffer not in buffers:
            buffers.append(tensor.buffer)
        where["buffer"] = buffers.index(tensor.buffer)
        size = layout.size
        read = {"type": tensor.type, "min": tensor.min, "scale": tensor.scale}
        return {**where, "offset": tensor.offset, "length": size, **read}

    def ends(places: Mapping[str, int]) -> dict[str, Any]:
        return {k: {"texture": slot(t), "parts": parts(plan.textures[t].layout),
                    "length": plan.textures[t].layout.size} for k, t in places.items()}  # fmt: skip

    prepare, steps = rows(plan.prepare), rows(plan.steps)
    needed = {t for s in plan.steps for t in s.inputs.values()} | {*plan.inputs.values(), *plan.outputs.values()}
    kept = {slot(t) for t in needed} | {slot(t) for s in plan.steps for t in s.outs}
    whole = {
        "textures": plan.slots,
        "half": plan.half,
        "programs": [{"source": text, "samplers": names} for text, names in sources],
        "uploads": [upload(i) for i, t in enumerate(plan.textures) if t.upload is not None],
        "targets": list(targets),
        "params": blocks,
        "prepare": prepare,
        "steps": steps,
        "constants": sorted(kept),
        "inputs": ends(plan.inputs),
        "outputs": ends(plan.outputs),
    }
    return json.dumps(whole), buffers


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
