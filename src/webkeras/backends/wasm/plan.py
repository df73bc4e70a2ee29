"""Graph -> Plan: what lies where in the module's memory, and the two programs as words. Pure data."""

from __future__ import annotations

from array import array
from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from webkeras.backends.wasm.builder import Builder
from webkeras.backends.wasm.expression import readable
from webkeras.backends.wasm.kernels import EPILOGUES, LOWER, NATIVE
from webkeras.backends.wasm.program import END, Instruction, Store
from webkeras.errors import BackendError
from webkeras.graph import Constant, Graph
from webkeras.passes import attend, expand, fold, fuse

LIMIT = 2**30 - 2**22  # floats: a WebAssembly memory of 4 GiB, and room for programs and stacks
ALIGN = 16  # floats, a cache line


@dataclass(frozen=True)
class Load:
    """Put a constant's elements at an address, or its bytes as they are."""

    constant: Constant
    address: int
    raw: bool = False


@dataclass(frozen=True)
class Run:
    """Run a program once, with one thread."""

    words: array[int]


@dataclass(frozen=True)
class Region:
    """Where an input or output lies: address and size in floats."""

    address: int
    size: int


@dataclass(frozen=True)
class Plan:
    """Everything a machine needs. Addresses and sizes are in floats."""

    floats: int  # memory for tensors
    scratch: int  # memory for every thread
    once: list[Load | Run]
    program: array[int]
    inputs: dict[str, Region]
    outputs: dict[str, Region]
    instructions: int  # of the longer program: counters that threads share
    shared: float  # nanoseconds that steps which threads share take one of them, roughly
    steps: list[tuple[str, str]]  # (layer, op) of every instruction of the program
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass
class Layout:
    """The lowered graph with an address for every store."""

    once: list[Instruction]
    always: list[Instruction]
    inputs: dict[str, Store]
    outputs: dict[str, Store]
    addresses: dict[int, int]  # by id of the store
    weights: int  # floats that keep their place
    floats: int  # with results

    def at(self, s: Store) -> int:
        """The store's address."""
        return self.addresses[id(s.root())] + s.offset()

    def constants(self) -> list[Store]:
        """The stores that hold the file's weights."""
        every = [s for i in (*self.once, *self.always) for s in i.reads]
        every += [s.root() for s in self.outputs.values()]
        return [s for s in {id(s): s for s in every}.values() if s.constant is not None]

    def __str__(self) -> str:
        whole, kept = (n * 4 / 2**20 for n in (self.floats, self.weights))
        head = f"{whole:.1f} MiB, {kept:.1f} of it weights; {len(self.once)} instructions once, then"
        return "\n".join([head, *map(str, self.always)])


def plan(graph: Graph, half: bool = False) -> Plan:
    """Rewrite the graph, lower it, and give everything a place; with `half`, weights of products stay small.

    Raises BackendError where a node has no kernel or the memory does not suffice.
    """
    at = layout(graph, half=half)
    if at.floats > LIMIT:
        raise BackendError(
            f"the model needs {at.floats * 4 / 2**30:.1f} GiB for weights and results, WebAssembly has 4; "
            "use a smaller batch"
        )
    return Plan(
        at.floats,
        max((i.scratch for i in (*at.once, *at.always)), default=0),
        _once(at),
        array("i", [w for i in at.always for w in i.words(at.at)] + END),
        {k: Region(at.at(s), s.size) for k, s in at.inputs.items()},
        {k: Region(at.at(s), s.size) for k, s in at.outputs.items()},
        max(len(at.once), len(at.always)),
        sum(i.cost() for i in at.always if i.shared()),
        [(i.layer, i.op.lower()) for i in at.always],
        str(at),
    )


def layout(graph: Graph, gap: int = 0, half: bool = False) -> Layout:
    """The graph rewritten, lowered and placed; `gap` floats stay unused after every tensor (for tests)."""
    graph = attend(fuse(fold(expand(graph, NATIVE)), EPILOGUES, readable=readable))
    b = Builder(LOWER, half)
    for node in graph.nodes:
        b.lower(node)
    inputs = {k: b.store(v) for k, v in graph.inputs.items()}
    outputs = {k: b.store(v) for k, v in graph.outputs.items()}
    reads = [s for i in b.always for s in i.reads] + [s.root() for s in outputs.values()]
    b.once = _needed(b.once, reads)
    made = {id(s) for i in b.always for s in i.writes} | {id(s) for s in inputs.values()}
    addresses: dict[int, int] = {}
    top = 0
    for s in reads:
        if id(s) not in made and id(s) not in addresses:
            addresses[id(s)], top = top, top + _room(s, gap)
    once = _place(b.once, [], [], addresses, top, gap)
    always = _place(b.always, inputs.values(), [s.root() for s in outputs.values()], addresses, top, gap)
    return Layout(b.once, b.always, inputs, outputs, addresses, top, max(once, always))


def _needed(program: list[Instruction], reads: Iterable[Store]) -> list[Instruction]:
    """Of the program what makes what is read: kernels that are packed from the file's bytes are not widened as well."""
    wanted, kept = {id(s) for s in reads}, []
    for i in reversed(program):
        if any(id(s) in wanted for s in i.writes):
            kept.append(i)
            wanted.update(id(s) for s in i.reads)
    return kept[::-1]


def _room(s: Store, gap: int) -> int:
    return -(-(s.size + gap) // ALIGN) * ALIGN


def _place(
    program: Sequence[Instruction],
    first: Iterable[Store],
    last: Iterable[Store],
    addresses: dict[int, int],
    bottom: int,
    gap: int,
) -> int:
    """Give every store of the program without an address one, above `bottom`; returns the top.

    Largest first, each at the lowest place free of those alive at the same time.
    """
    stores: dict[int, Store] = {}
    begin: dict[int, int] = {}
    end: dict[int, int] = {}

    def seen(s: Store, i: int) -> None:
        if id(s) not in addresses or id(s) in begin:
            stores[id(s)] = s
            begin.setdefault(id(s), i)
            end[id(s)] = i

    for s in first:
        seen(s, -1)
    for i, instruction in enumerate(program):
        for s in (*instruction.reads, *instruction.writes):
            seen(s, i)
    for s in last:
        seen(s, len(program))
    top = bottom
    placed: list[tuple[int, int, int, int]] = []  # low, high, begin, end; in order
    for key, s in sorted(stores.items(), key=lambda item: -item[1].size):
        room, low = _room(s, gap), bottom
        for from_, to, b, e in placed:
            if b <= end[key] and begin[key] <= e and low < to:
                if from_ - low >= room:
                    break
                low = to
        addresses[key] = low
        insort(placed, (low, low + room, begin[key], end[key]))
        top = max(top, low + room)
    return top


def _once(at: Layout) -> list[Load | Run]:
    """Constants are loaded right before they are first read: the raw weights are never all in memory at once."""
    steps: list[Load | Run] = []
    waiting = {id(s): s for s in at.constants()}
    words: list[int] = []
    for instruction in at.once:
        loads = [waiting.pop(id(s)) for s in instruction.reads if id(s) in waiting]
        if loads and words:
            steps.append(Run(array("i", words + END)))
            words = []
        steps.extend(Load(s.constant, at.at(s), s.raw) for s in loads if s.constant is not None)
        words += instruction.words(at.at)
    if words:
        steps.append(Run(array("i", words + END)))
    steps.extend(Load(s.constant, at.at(s), s.raw) for s in waiting.values() if s.constant is not None)
    return steps
