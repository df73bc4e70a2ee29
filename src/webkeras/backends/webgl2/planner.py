"""Graph to Plan: which textures, which programs, which draws. Plain data, no browser, so all of it is tested on a host.

A value's place is asked for in a layout (`Planner.get`). What nobody asks for is never made; a reshape is a second
name for the same elements; a constant is made once, before the first run, by the same kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from webkeras.backends.webgl2.glsl import Source, assemble
from webkeras.backends.webgl2.joined import Part, parts
from webkeras.backends.webgl2.layout import NEVER, WIDE, Flat, Layout, Limits, Tile, flat, rows, tile
from webkeras.backends.webgl2.share import share
from webkeras.backends.webgl2.tails import tails
from webkeras.errors import BackendError
from webkeras.expr import walk
from webkeras.graph import Constant, Graph, Node, Value
from webkeras.shapes import Shape, size

#: Shaders that read w_ by WEIGHT.
WEIGHING = {
    f"{name}.glsl"
    for name in ("conv", "conv_transpose", "depthwise", "line_kernel", "matmul", "take", "winograd_kernel")
}

Kernel = Callable[["Planner", Node], None]
Params = dict[str, Any]


#: Functions of expr.py that common.js computes constants with, and of how many elements at most: more are drawn.
COMPUTED, MOST = {"add", "sub", "mul", "div", "neg", "sqrt", "rsqrt"}, 1 << 18


@dataclass(frozen=True)
class Computed:
    """A constant made of others, element by element or side by side: what `elements` of common.js takes."""

    code: list[list[Any]]
    of: tuple[Constant | Computed, ...]
    shape: Shape


@dataclass
class Texture:
    """A place: its layout, whether it is made once, and what is uploaded into it, if anything.

    A plain one is no array of layers but a TEXTURE_2D.
    """

    layout: Layout
    constant: bool
    upload: Constant | Computed | None = None
    plain: bool = False
    slot: int = -1  # of the textures that really exist; several dynamic ones share one


@dataclass
class Step:
    """One draw."""

    shader: str
    defines: dict[str, str | int]
    inputs: dict[str, int]  # sampler name -> texture
    targets: tuple[tuple[int, int], ...]  # (texture, layer) of each thing a fragment writes
    viewport: tuple[int, int, int, int]  # x, y, width, height
    params: Params
    label: str
    times: tuple[int, int] = (1, 0)  # how many such rectangles, how many columns apart
    many: dict[str, str | int] | None = None  # defines that it needs instead of FEW

    @property
    def program(self) -> tuple[str, frozenset[tuple[str, str | int]]]:
        """What tells its program from others."""
        return self.shader, frozenset(self.defines.items())

    @property
    def source(self) -> Source:
        """The whole shader."""
        return assemble(self.shader, self.defines)

    @property
    def outs(self) -> list[int]:
        """The textures written."""
        return list(dict.fromkeys(t for t, _ in self.targets))


@dataclass
class Plan:
    """All a runner needs: textures, draws to make once, draws of every run."""

    textures: list[Texture]
    prepare: list[Step]
    steps: list[Step]
    inputs: dict[str, int]
    outputs: dict[str, int]
    #: Draws that lay an input out anew, for what is on the GPU already; arrays go up as these would lay them.
    adopt: dict[str, list[Step]] = field(default_factory=dict)
    slots: list[tuple[int, int, int]] = field(default_factory=list)  # width, height, layers: 0 for a TEXTURE_2D
    half: bool = False

    def __str__(self) -> str:
        sources = list(dict.fromkeys(s.source.text for s in self.steps))
        lines = [
            f"{i:>4}  {s.source.files[1]:<20} program {sources.index(s.source.text):<3} "
            f"{'x'.join(map(str, (*s.viewport[2:], len(s.targets)))):<14} {s.label}"
            for i, s in enumerate(self.steps)
        ]
        held = sum((8 if self.half else 16) * w * h * max(n, 1) for w, h, n in self.slots)
        lines.append(
            f"{len(self.steps)} draws a run, {len(self.prepare)} before the first, {len(sources)} programs, "
            f"{len(self.slots)} textures of {held / 1e6:.1f} MB"
        )
        return "\n".join(lines)


def _in_place(defines: dict[str, str | int]) -> dict[str, str | int]:
    """The defines of a draw into some columns of a texture."""
    return {**defines, "PLACED": 1, "EXTRA_PARAMS": f"ivec3 out_place; {defines.get('EXTRA_PARAMS', '')}"}


def _whereabouts(name: str, layout: Layout) -> tuple[str, str]:
    """The define of tensor.glsl that says how what a sampler reads lies, or what is drawn."""
    if name == "out":
        return ("OWN_AT(at)", "unfolded(out_fold, at)") if layout.folded else ("OWN_AT", "unstacked" * layout.stacked)
    if layout.folded:
        return f"{name}_at(column, row, layer)", f"folded({name}_fold, column, row, layer)"
    return f"{name}_at", "STACKED" if layout.stacked else "PLAIN"


class Planner:
    """Collects textures and draws while kernels lower one node after another."""

    def __init__(self, graph: Graph, limits: Limits, kernels: Mapping[str, Kernel]) -> None:
        """Raises BackendError where a node has no kernel or a tensor fits in no texture."""
        self.limits, self.kernels = limits, kernels
        self.textures: list[Texture] = []
        self.steps: list[Step] = []
        self.places: dict[tuple[int, Layout], int] = {}
        self.same: dict[int, Value] = {}  # a reshaped value -> the value whose elements it names
        self.lowered: set[int] = set()
        self.values: list[Value] = []  # kept alive: places go by id
        self.parts = parts(self, graph)
        self.wholes: dict[int, int] = {}
        self.drawn: set[int] = set()  # parts that are
        self.nodes = graph.nodes
        self.used = {id(v) for n in self.nodes for v in n.inputs} | {id(v) for v in graph.outputs.values()}
        self.inputs = {name: self._enter(v) for name, v in graph.inputs.items()}
        self.adopt: dict[str, list[Step]] = {}
        self.names = {id(v): name for name, v in graph.inputs.items()}
        for node in self.nodes:
            if not node.outs[0].is_constant:
                self.lower(node)
        self.outputs = {name: self.get(v, self.read_layout(v)) for name, v in graph.outputs.items()}

    def _enter(self, v: Value) -> int:
        layout = self.read_layout(v)
        return self.place(v, layout, self.texture(layout, constant=False))

    def read_layout(self, v: Value) -> Layout:
        """A layout of v whose texture holds the elements in order."""
        usual = tile(v.shape, self.limits)
        if usual.in_order and not usual.folded:
            return usual
        return flat(v.size, self.limits, usual.w * usual.c if usual.c < 4 else 0)

    def texture(self, layout: Layout, constant: bool, upload: Constant | Computed | None = None) -> int:
        """A new place."""
        self.textures.append(Texture(layout, constant, upload))
        return len(self.textures) - 1

    def place(self, v: Value, layout: Layout, texture: int) -> int:
        """Note that `texture` holds v."""
        self.values.append(v)
        self.places[id(v), layout] = texture
        return texture

    def whole(self, part: Part) -> int:
        """The texture of the concatenation that a part is written into."""
        if id(part.whole) not in self.wholes:
            self.wholes[id(part.whole)] = self.texture(part.layout, constant=False)
        return self.wholes[id(part.whole)]

    def root(self, v: Value) -> Value:
        """The value whose elements v names, through reshapes."""
        while True:
            if id(v) in self.same:
                v = self.same[id(v)]
            elif v.is_constant and v.node and v.node.op == "reshape":
                v = v.node.inputs[0]
            else:
                return v

    def tile(self, v: Value) -> Tile:
        """v's usual layout."""
        return tile(v.shape, self.limits)

    def rows(self, v: Value, c: int) -> Tile:
        """v as plain rows of c channels, as weights are read."""
        return rows(v.size // c, c, self.limits)

    def get(self, v: Value, layout: Layout | None = None) -> int:
        """The texture that holds v in a layout (its usual one), made if need be."""
        layout = layout or self.tile(v)
        v = self.root(v)
        found = self.places.get((id(v), layout))
        if found is not None:
            return found
        if v.constant is not None:
            return self._upload(v, layout)
        if not layout.folded and (computed := self._computed(v)):
            return self.place(v, layout, self.texture(layout, constant=True, upload=computed))
        if v.is_constant and v.node and v.node.op == "map" and isinstance(layout, Tile):
            from webkeras.backends.webgl2.kernels import map_in

            if map_in(self, v.node, layout):
                return self.places[id(v), layout]
        if v.node and id(v.node) not in self.lowered:
            self.lower(v.node)
            return self.get(v, layout)
        return self._converted(v, layout)

    def _computed(self, v: Value) -> Constant | Computed | None:
        """A constant that is computed while weights go up: no program, no draw. None where it must be drawn."""
        v = self.root(v)
        node = v.node
        if node is None or not v.is_constant or v.size > MOST:
            return v.constant
        of = [found for x in node.inputs if (found := self._computed(x))]
        if node.op not in ("map", "concat") or len(of) < len(node.inputs):
            return None
        if node.op == "concat":
            rows = size(v.shape[: node.attrs["axis"]])
            code = [*(["slot", i] for i in range(len(of))), ["join", rows, *range(len(of))]]
            return Computed(code, tuple(of), v.shape)
        parts = walk(node.attrs["expr"])
        functions = {p[0] for p in parts if isinstance(p, tuple)}
        finite = all(isfinite(p) for p in parts if isinstance(p, float))
        if not functions <= COMPUTED or not finite or any(x.size not in (1, v.size) for x in node.inputs):
            return None
        at = {id(p): i for i, p in enumerate(parts)}

        def line(p: Any) -> list[Any]:
            if isinstance(p, tuple):
                return [p[0], *(at[id(a)] for a in p[1:])]
            return ["slot" if isinstance(p, int) else "number", p]

        return Computed([line(p) for p in parts], tuple(of), v.shape)

    def _upload(self, v: Value, layout: Layout) -> int:
        if not (isinstance(layout, Tile) and layout.folded and layout.lanes > 1):
            return self.place(v, layout, self.texture(layout, constant=True, upload=v.constant))
        self.get(v, flat(v.size, self.limits))
        return self._converted(v, layout)

    def _converted(self, v: Value, layout: Layout) -> int:
        from webkeras.backends.webgl2.movement import convert

        have = next((layout for (i, layout) in self.places if i == id(v)), None)
        if have is None:
            raise BackendError(f"webgl2: {v.node.op if v.node else 'a value'} {v.shape} was never made")
        made, name = convert(self, v, have, layout), self.names.get(id(v))
        laid = isinstance(have, Flat) and isinstance(layout, Tile) and not layout.folded and self.limits.lays
        if name and laid and id(v) not in self.parts:
            self.adopt.setdefault(name, []).append(self.steps.pop())
        return made

    def lower(self, node: Node) -> None:
        """Let the node's kernel emit its draws."""
        if id(node) in self.lowered:
            return
        self.lowered.add(id(node))
        if node.op == "reshape":
            self.values.append(node.out)
            self.same[id(node.out)] = node.inputs[0]
            return
        kernel = self.kernels.get(node.op)
        if kernel is None:
            raise BackendError(f"{node.layer or node.op}: webgl2 has no kernel for {node.op!r}; use another backend")
        kernel(self, node)

    def emit(
        self,
        shader: str,
        node: Node | None,
        out: Value,
        layout: Layout,
        inputs: Mapping[str, int],
        params: Params,
        defines: Mapping[str, str | int] | None = None,
    ) -> int:
        """One draw of `shader` that makes `out` in `layout`. LANES, TAIL and their kin are defined here."""
        label = f"{node.op} {node.layer}".strip() if node else "convert"
        common: dict[str, str | int] = {"TAIL": layout.c % 4} if isinstance(layout, Tile) and layout.c % 4 else {}
        common |= defines or {}
        if isinstance(layout, Tile) and layout.lanes == 1:  # one program for all numbers of channels
            common |= {"TAIL": "out_tail", "EXTRA_PARAMS": f"int out_tail; {common.get('EXTRA_PARAMS', '')}"}
            params = {**params, "out_tail": layout.c % 4 or 4}
        part = self.parts.get(id(out))
        if part and isinstance(layout, Tile) and layout == self.tile(out):
            texture, (viewport, times) = self.whole(part), part.window(layout)
            targets = [(texture, i) for i in range(part.layout.lanes)]
            common = _in_place(common)
            params = {**params, "out_place": part.param(layout)}
            self.step(shader, targets, viewport, inputs, params, common, label, times)
            self.drawn.add(id(out))
            return texture
        constant = all(self.textures[t].constant for t in inputs.values())
        texture = self.texture(layout, constant)
        width, height, layers = layout.texture
        targets = [(texture, i) for i in range(layers)]
        self.step(shader, targets, (0, 0, width, height), inputs, params, common, label)
        return self.place(out, layout, texture)

    def step(
        self,
        shader: str,
        targets: Sequence[tuple[int, int]],
        viewport: tuple[int, int, int, int],
        inputs: Mapping[str, int],
        params: Params,
        defines: Mapping[str, str | int],
        label: str,
        times: tuple[int, int] = (1, 0),
    ) -> None:
        """One draw into any layers of any textures; folds of what it touches are told to it."""
        n = len(targets)
        common: dict[str, str | int] = {
            "LANES": n,
            "EACH_LANE": f"EACH_{n}",
            "WITH_LANE": f"WITH_{n}",
            "EXTRA_PARAMS": "",
        }
        lies = {s.rstrip("_"): self.textures[t].layout for s, t in inputs.items()}
        lies["out"] = self.textures[targets[0][0]].layout
        common |= defines
        folded = {f"{s}_fold": v.fold for s, v in lies.items() if v.folded}
        if folded:
            common |= {"FOLD": 1, "EXTRA_PARAMS": f"ivec4 {', '.join(folded)}; {common['EXTRA_PARAMS']}"}
            params = {**params, **folded}
        if any(isinstance(v, Tile) and v.w > WIDE for v in lies.values()):
            common["WIDE"] = 1
        if self.limits.sampled and n > 2:  # where little is read, what is compiled counts
            common["SAMPLED"] = 1
        common |= dict(_whereabouts(s, v) for s, v in lies.items())
        self.steps.append(Step(shader, common, dict(inputs), tuple(targets), viewport, params, label, times))

    def _flatten(self) -> None:
        """Constants of one layer that only WEIGHT of tensor.glsl reads are no arrays."""
        odd = {*self.inputs.values(), *self.outputs.values()}
        odd |= {t for s in self.steps for name, t in s.inputs.items() if name != "w_" or s.shader not in WEIGHING}
        for s in self.steps:
            w = s.inputs.get("w_")
            if w is not None and w not in odd and self.textures[w].constant and self.textures[w].layout.texture[2] == 1:
                self.textures[w].plain = True
                s.defines["W_PLAIN"] = 1

    def _few(self) -> None:
        """A program for many channels does for few as well, at hardly more than theirs, which must be compiled."""
        few = [(s, s.many) for s in self.steps if s.many is not None]
        programs = {s.program for s in self.steps} if few else set()
        for s, many in few:
            d = {k: v for k, v in s.defines.items() if k != "FEW"} | many
            if programs & {(s.shader, frozenset(x.items())) for x in (d, _in_place(d))}:
                s.defines = d

    def _placed(self) -> None:
        """A program that draws parts of concatenations draws wholes as well, as the only part of themselves."""
        placed = {s.program for s in self.steps if "PLACED" in s.defines}
        for s in self.steps:
            if "PLACED" not in s.defines and (s.shader, frozenset((d := _in_place(s.defines)).items())) in placed:
                s.defines, s.params = d, {**s.params, "out_place": (NEVER, 0, 0)}

    def finish(self) -> Plan:
        """Split what is made once from what every run makes, and let dynamic textures share memory by lifetime."""
        self._flatten()
        self._few()
        self._placed()
        self.steps = tails(self.steps, self.textures)
        prepare = [s for s in self.steps if self.textures[s.outs[0]].constant]
        steps = [s for s in self.steps if not self.textures[s.outs[0]].constant]
        plan = Plan(self.textures, prepare, steps, self.inputs, self.outputs, self.adopt, half=self.limits.half)
        share(plan)
        return plan
