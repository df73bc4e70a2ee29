"""The instructions of csrc/program.h: their fields in order, and how they become 32-bit words."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from webkeras.graph import Constant

OPS = """
    END CONV DEPTHWISE WINOGRAD WINOGRAD_IN WINOGRAD_OUT GEMM ATTENTION PACK WINOGRAD_PACK POOL MAP REDUCE SOFTMAX
    NORM COPY TAKE SCAN
    """.split()

END = [0, 2]
FLOATS, HALVES, BYTES = range(3)  # how packed weights are kept
ALONE = 256  # added to an op that is not worth sharing between threads
WORTH_SHARING = 4000  # nanoseconds: to meet at the end of a step costs two threads about one microsecond

EPILOGUE = "bias residual low:f high:f map"
WINDOW = f"src weights dst n c f groups in*3 out*3 kernel*3 stride*3 dilation*3 before*3 fn format {EPILOGUE}"
PACK = "src dst count src_step dst_step taps c f tap_step c_step f_step format factor factor_step scale:f min:f"
REDUCE = "src dst outer r inner fn"

# name, * and a count for several words, :f for a float; csrc/program.h holds the same in C.
FIELDS: dict[str, list[str]] = {
    name: text.split()
    for name, text in {
        "CONV": WINDOW,
        "DEPTHWISE": WINDOW,
        "WINOGRAD": WINDOW,
        "WINOGRAD_IN": WINDOW,
        "WINOGRAD_OUT": WINDOW,
        "POOL": WINDOW,
        "GEMM": f"a b dst m n k format batch*4 a_step*4 b_step*4 {EPILOGUE}",
        "ATTENTION": "q k v dst n t s c f map",
        "PACK": PACK,
        "WINOGRAD_PACK": PACK,
        "MAP": "dst size inputs literals code registers dims*6",
        "REDUCE": REDUCE,
        "SOFTMAX": REDUCE,
        "NORM": "src dst outer r epsilon:f gamma beta map",
        "COPY": "src dst dims*6 x_step*6 y_step*6",
        "TAKE": "src rows dst outer n inner count",
        "SCAN": "steps moving",
    }.items()
}


@dataclass(eq=False)
class Store:
    """Room for one tensor (or for packed weights); where it lies is the planner's to say."""

    size: int
    constant: Constant | None = None
    name: str = ""
    raw: bool = False  # the constant's bytes as they are in the file, not its numbers
    inside: Part | None = None  # a view: it lies in another store

    def root(self) -> Store:
        """The store whose room this one's elements take."""
        return self.inside.store.root() if self.inside else self

    def offset(self) -> int:
        """Where in that room they begin."""
        return self.inside.offset + self.inside.store.offset() if self.inside else 0


@dataclass(eq=False)
class Part:
    """An element of a store other than its first."""

    store: Store
    offset: int


Operand = Store | Part | int
Word = Operand | float


@dataclass
class Instruction:
    """An op with its fields; stores stand where words will hold addresses. `map` follows the fields of an epilogue."""

    op: str
    fields: Mapping[str, Any]
    reads: tuple[Store, ...]
    writes: tuple[Store, ...]
    scratch: int = 0  # floats every thread needs
    layer: str = ""
    map: Instruction | None = None
    tail: list[Word] = field(default_factory=list)  # what follows the fields of a MAP
    body: list[Instruction] = field(default_factory=list)  # of a SCAN
    moves: dict[str, int] = field(default_factory=dict)  # in a body: by how much a field grows with every step

    def __post_init__(self) -> None:
        self.settle()

    def settle(self) -> None:
        """Speak of the stores that have room of their own, not of views in them."""
        self.reads = tuple({id(s): s for s in (r.root() for r in self.reads)}.values())
        self.writes = tuple({id(s): s for s in (w.root() for w in self.writes)}.values())

    def words(self, address: Callable[[Store], int]) -> list[int]:
        """The instruction as the kernels read it."""
        out: list[Word] = [OPS.index(self.op) + ALONE * (not self.shared()), 0]
        for spec in FIELDS[self.op]:
            name, _, count = spec.partition("*")
            name, _, kind = name.partition(":")
            value: Any = self._map_at() if name == "map" else self.fields[name]
            out.extend(value if count else [float(value) if kind else value])
        out.extend(self.tail)
        words = [_word(w, address) for w in out]
        if self.op == "SCAN":
            words += self._body(address)
        if self.map is not None:
            words.extend(self.map.words(address))
        words[1] = len(words)
        return words

    def work(self) -> int:
        """The multiplications of a contraction; 0 for anything else."""
        f = self.fields
        if self.op == "GEMM":
            return int(math.prod(f["batch"]) * f["m"] * f["n"] * f["k"])
        if self.op == "ATTENTION":
            return int(f["n"] * f["t"] * f["s"] * (f["c"] + f["f"]))
        if self.op in ("CONV", "DEPTHWISE", "WINOGRAD"):
            return int(f["n"] * math.prod(f["out"]) * math.prod(f["kernel"]) * f["f"] * f["c"] // f["groups"])
        return 0

    def shared(self) -> bool:
        """Do threads share it?"""
        return self.op != "SCAN" and self.cost() >= WORTH_SHARING

    def cost(self) -> float:
        """Nanoseconds that one thread takes, roughly: how many threads are worth it hangs on this, and nothing else."""
        elements = float(sum(s.size for s in (self.reads if self.op == "REDUCE" else self.writes)))
        if self.op == "SCAN":
            return sum(i.cost() for i in self.body) * float(self.fields["steps"])
        if self.op == "POOL":
            return elements * float(math.prod(self.fields["kernel"])) / 2
        per = {"GEMM": 16, "ATTENTION": 12, "CONV": 16, "DEPTHWISE": 8, "WINOGRAD": 60}.get(self.op)
        own = self.work() / per if per else elements * float(self.fields.get("code", 1))
        return own + (self.map.cost() if self.map else 0.0)

    def _map_at(self) -> int:
        return 0 if self.map is None else 2 + sum(int(s.partition("*")[2] or 1) for s in FIELDS[self.op])

    def _body(self, address: Callable[[Store], int]) -> list[int]:
        moving: list[int] = []
        words: list[int] = []
        for i in self.body:
            for name, step in i.moves.items():
                moving += [
                    len(words) + 2 + FIELDS[i.op].index(name),
                    step,
                ]  # fields before src and dst are single words
            words += i.words(address)
        return moving + words + END

    def __str__(self) -> str:
        shown = {k: v for k, v in self.fields.items() if isinstance(v, list) or (isinstance(v, int) and v >= 0)}
        return f"{self.layer:24} {self.op.lower():10} " + " ".join(
            f"{k}={v}".replace(" ", "") for k, v in shown.items()
        )


def _word(w: Word, address: Callable[[Store], int]) -> int:
    if isinstance(w, Store):
        return address(w)
    if isinstance(w, Part):
        return address(w.store) + w.offset
    if isinstance(w, float):
        word: int = struct.unpack("<i", struct.pack("<f", clamped(w)))[0]
        return word
    return w


def clamped(x: float) -> float:
    """x as float32 holds it: beyond its range, infinite."""
    return x if not math.isfinite(x) or abs(x) < 3.4028235677973366e38 else math.copysign(math.inf, x)
