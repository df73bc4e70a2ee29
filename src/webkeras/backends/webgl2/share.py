"""Textures that live at different times share memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webkeras.backends.webgl2.planner import Plan

Size = tuple[int, int, int]


def share(plan: Plan) -> None:
    """Give every texture a slot: constants one each, dynamic ones the first free slot that is large enough."""
    last: dict[int, int] = {}
    for i, step in enumerate(plan.steps):
        last.update(dict.fromkeys([*step.inputs.values(), *step.outs], i))
    entered = [*plan.inputs.values(), *(t for steps in plan.adopt.values() for s in steps for t in s.outs)]
    last.update(dict.fromkeys([*plan.outputs.values(), *entered], len(plan.steps)))
    free: list[int] = []

    def new(t: int) -> None:
        width, height, layers = plan.textures[t].layout.texture
        plan.slots.append((width, height, 0 if plan.textures[t].plain else layers))
        plan.textures[t].slot = len(plan.slots) - 1

    for t, texture in enumerate(plan.textures):
        if texture.constant:
            new(t)
    for t in entered:
        new(t)  # an input is uploaded before the first draw
    for i, step in enumerate(plan.steps):
        for t in step.outs:
            if plan.textures[t].slot < 0 and not _take(plan, t, free):
                new(t)
        for t in {*step.inputs.values(), *step.outs}:
            assert plan.textures[t].slot >= 0, f"{step.label} reads a texture that nobody writes"
            if last[t] == i and not plan.textures[t].constant:
                free.append(plan.textures[t].slot)


def _take(plan: Plan, t: int, free: list[int]) -> bool:
    """A free slot for texture t, enlarged if need be; False where none suits."""
    want = plan.textures[t].layout.texture
    fits = [s for s in free if _grown(plan.slots[s], want)]
    if not fits:
        return False
    best = min(fits, key=lambda s: _volume(_union(plan.slots[s], want)))
    free.remove(best)
    plan.slots[best] = _union(plan.slots[best], want)
    plan.textures[t].slot = best
    return True


def _union(a: Size, b: Size) -> Size:
    return max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2])


def _volume(a: Size) -> int:
    return a[0] * a[1] * a[2]


def _grown(have: Size, want: Size) -> bool:
    """Is it thrift to use (and if need be enlarge) a free texture for this one?"""
    return _volume(_union(have, want)) <= 1.25 * max(_volume(have), _volume(want))
