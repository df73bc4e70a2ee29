"""Plan to what runner.js replays: plain data, textures that share a slot merged, equal programs and parameters once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from webkeras.backends.webgl2.layout import Tile
from webkeras.backends.webgl2.planner import Plan, Step
from webkeras.graph import Literal


def program(plan: Plan) -> tuple[str, list[Any]]:
    """(JSON text, the buffers its uploads speak of)."""
    sources: dict[tuple[str, tuple[str, ...]], int] = {}
    params: dict[str, int] = {}
    buffers: list[Any] = []

    def slot(t: int) -> int:
        return plan.textures[t].slot

    def rows(steps: Sequence[Step]) -> list[Any]:
        out = []
        for s in steps:
            key = (s.source.text, tuple(s.inputs))
            layout = plan.textures[s.out].layout
            width, height, _ = layout.texture
            layers = layout.lanes if isinstance(layout, Tile) else 1
            at = sources.setdefault(key, len(sources)), params.setdefault(json.dumps(s.params), len(params))
            out.append([*at, slot(s.out), width, height, layers, [slot(t) for t in s.inputs.values()]])
        return out

    def upload(i: int) -> dict[str, Any]:
        tensor: Any = plan.textures[i].upload
        if isinstance(tensor, Literal):
            return {"texture": slot(i), "floats": list(tensor.floats)}
        if tensor.buffer not in buffers:
            buffers.append(tensor.buffer)
        length = plan.textures[i].layout.size
        where = {"texture": slot(i), "buffer": buffers.index(tensor.buffer), "offset": tensor.offset, "length": length}
        return {**where, "type": tensor.type, "min": tensor.min, "scale": tensor.scale}

    prepare, steps = rows(plan.prepare), rows(plan.steps)
    needed = {t for s in plan.steps for t in s.inputs.values()} | {*plan.inputs.values(), *plan.outputs.values()}
    kept = {slot(t) for t in needed} | {slot(s.out) for s in plan.steps}
    whole = {
        "textures": plan.slots,
        "programs": [{"source": text, "samplers": names} for text, names in sources],
        "uploads": [upload(i) for i, t in enumerate(plan.textures) if t.upload is not None],
        "params": [json.loads(p) for p in params],
        "prepare": prepare,
        "steps": steps,
        "constants": sorted(kept),
        "inputs": {k: {"texture": slot(t), "length": plan.textures[t].layout.size} for k, t in plan.inputs.items()},
        "outputs": {k: {"texture": slot(t), "length": plan.textures[t].layout.size} for k, t in plan.outputs.items()},
    }
    return json.dumps(whole), buffers
