"""Assemble a shader: version, defines, includes with #line, so that a driver's complaint names file and line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from webkeras.errors import ShaderError


class Source(NamedTuple):
    """A whole shader, and the files its #line numbers speak of."""

    text: str
    files: tuple[str, ...]


@cache
def read(name: str) -> str:
    """A shader file's text, from the wheel or from the source tree."""
    packaged = resources.files("webkeras") / "shaders" / name
    if packaged.is_file():
        return packaged.read_text()
    return (Path(__file__).resolve().parents[4] / "shaders" / name).read_text()


@cache
def names() -> tuple[str, ...]:
    """Every shader file."""
    packaged = resources.files("webkeras") / "shaders"
    folder = packaged if packaged.is_dir() else Path(__file__).resolve().parents[4] / "shaders"
    return tuple(sorted(p.name for p in folder.iterdir() if p.name.endswith(".glsl")))


def preload() -> None:
    """Read every shader file, so that a memory snapshot holds them, as drivers get them."""
    for name in names():
        _bare(name)


def assemble(name: str, defines: Mapping[str, str | int]) -> Source:
    """The source of shader file `name` under these defines.

    Raises ShaderError when an included file is not there.
    """
    return _assembled(name, tuple(sorted(defines.items())))


@cache
def _assembled(name: str, defines: tuple[tuple[str, str | int], ...]) -> Source:
    files = ["the defines"]
    words = {w for _, v in defines for w in re.findall(r"\w+", str(v))}

    def include(file: str) -> list[str]:
        files.append(file)
        me, lines = len(files) - 1, [f"#line 1 {len(files) - 1}"]
        try:
            text = _bare(file)
        except OSError:
            raise ShaderError(f"{name}: shader file {file!r} is not there; expected one of {names()}") from None
        for i, line in enumerate(_needed(text, words) if file == "scalars.glsl" else text, 1):
            if line.startswith("#include"):
                included = line.split('"')[1]
                if included not in files:
                    lines += [*include(included), f"#line {i + 1} {me}"]
            else:
                lines.append(line)
        return lines

    head = ["#version 300 es", *(f"#define {k} {v}".rstrip() for k, v in defines)]
    return Source("\n".join([*head, *include(name)]) + "\n", tuple(files))


@cache
def _bare(file: str) -> tuple[str, ...]:
    """The lines of a shader file without its comments, which people read and drivers need not."""
    return tuple(line.split("//")[0].rstrip() for line in read(file).splitlines())


def _needed(text: tuple[str, ...], words: set[str]) -> list[str]:
    """The lines of a file of functions, those left empty that are part of a function nobody calls."""
    starts = [i for i, line in enumerate(text) if re.match(r"\w+ \w+\(", line)]
    needed: set[int] = set()
    for a, b in reversed([*zip(starts, [*starts[1:], len(text)], strict=True)]):  # a function calls those above it
        if text[a].split("(")[0].split()[1] in words:
            needed.update(range(a, b))
            words = words | set(re.findall(r"\w+", " ".join(text[a:b])))
    return [line if i in needed else "" for i, line in enumerate(text)]


def explain(log: str, source: Source) -> str:
    """A driver's log as a sentence: `conv.glsl:17: 'alpah' : undeclared identifier`, with the line itself."""
    match = re.search(r"(?:ERROR|error)\s*:?\s*(\d+):(\d+)\W+(.*)", log)
    if not match:
        return f"{source.files[-1]}: {log.strip()}"
    file, line = source.files[int(match[1]) % len(source.files)], int(match[2])
    text = read(file).splitlines() if file.endswith(".glsl") else source.text.splitlines()
    shown = text[line - 1].strip() if 0 < line <= len(text) else ""
    return f"{file}:{line}: {match[3].strip()} in `{shown}`"
