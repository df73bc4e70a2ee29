"""The C kernels compiled for the host, with the address and undefined-behaviour sanitizers, run on graphs."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from webkeras.backends.wasm.plan import Load, layout, plan
from webkeras.backends.wasm.program import END, Instruction, Store
from webkeras.graph import Graph

HERE = Path(__file__).parent
CSRC = Path(__file__).parents[3] / "src/webkeras/backends/wasm/csrc"
FLAGS = ["-O1", "-std=gnu11", "-fno-strict-aliasing", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-pthread"]


@cache
def compiled(sanitize: str = "address,undefined") -> Path:
    """The driver with the kernels, compiled once for these sources."""
    sources = sorted([*CSRC.glob("*.[ch]"), HERE / "machine.c"])
    flags = [*FLAGS, "-g", f"-fsanitize={sanitize}", *([] if sanitize == "thread" else ["-fno-sanitize-recover=all"])]
    key = hashlib.sha256(b"".join(p.read_bytes() for p in sources) + " ".join(flags).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"webkeras-machine-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    binary = folder / key
    if not binary.exists():
        made = folder / f"{key}.{os.getpid()}"
        done = subprocess.run(
            ["cc", *flags, "-o", made, *[p for p in sources if p.suffix == ".c"], "-lm"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        made.rename(binary)
    return binary


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def loaded(address: int, constant: Any, raw: bool) -> bytes:
    """A command that puts a constant's numbers, or its bytes, where they belong."""
    if raw:
        data = constant.buffer.read(constant.offset, constant.nbytes)
        data += bytes(-len(data) % 4)
    else:
        data = constant.array().astype("<f4").tobytes()
    return words(1, address, len(data) // 4) + data


def run(graph: Graph, feeds: Mapping[str, np.ndarray], threads: int = 1, half: bool = False) -> dict[str, np.ndarray]:
    """The graph's outputs, every instruction confined to the tensors it names."""
    at = layout(graph, gap=8, half=half)
    waiting = {id(s): s for s in at.constants()}
    script = [words(max(at.floats, 1))]

    def load(s: Store) -> None:
        script.append(loaded(at.at(s), s.constant, s.raw))

    def step(instruction: Instruction) -> None:
        for s in instruction.reads:
            if waiting.pop(id(s), None):
                load(s)
        program = [*instruction.words(at.at), *END]
        touched = {id(s): s for s in (*instruction.reads, *instruction.writes)}.values()
        ranges = [v for s in touched for v in (at.at(s), s.size)]
        script.append(words(2, instruction.scratch, threads, len(program), *program, len(ranges) // 2, *ranges))

    for instruction in at.once:
        step(instruction)
    for name, s in at.inputs.items():
        script.append(words(1, at.at(s), s.size) + feeds[name].astype("<f4").tobytes())
    for instruction in at.always:
        step(instruction)
    for s in list(waiting.values()):
        load(s)
    script.extend(words(3, at.at(s), s.size) for s in at.outputs.values())
    done = subprocess.run([compiled()], input=b"".join(script), capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
    flat, out, begin = np.frombuffer(done.stdout, "<f4"), {}, 0
    for name, s in at.outputs.items():
        out[name] = flat[begin : begin + s.size].reshape(graph.outputs[name].shape)
        begin += s.size
    return out


def predict(graph: Graph, feeds: Mapping[str, np.ndarray], threads: int, runs: int) -> list[bytes]:
    """All outputs of each of some runs, in a row, with workers as in the browser, under the thread sanitizer."""
    planned = plan(graph)
    script = [words(max(planned.floats, 1))]
    for s in planned.once:
        if isinstance(s, Load):
            script.append(loaded(s.address, s.constant, s.raw))
        else:
            script.append(words(2, planned.scratch, 1, len(s.words), *s.words, 1, 0, planned.floats))
    program, inputs, outputs = planned.program, planned.inputs, list(planned.outputs.values())
    script.append(words(4, runs, planned.scratch, threads, planned.instructions, len(program), *program, len(inputs)))
    script.extend(words(r.address, r.size) + feeds[k].astype("<f4").tobytes() for k, r in inputs.items())
    script.append(words(len(outputs), *[v for r in outputs for v in (r.address, r.size)]))
    environment = {**os.environ, "TSAN_OPTIONS": "halt_on_error=1"}
    done = subprocess.run([compiled("thread")], input=b"".join(script), capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
    each = 4 * sum(r.size for r in outputs)
    assert len(done.stdout) == runs * each
    return [done.stdout[i : i + each] for i in range(0, runs * each, each)]
