"""Dataspaces, datatypes and attributes: the messages that say what bytes mean."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from webkeras.hdf5.structure import Cursor, Reader
from webkeras.shapes import Shape, size

INTEGER, FLOAT, STRING, OPAQUE, ENUM, VARIABLE = 0, 1, 3, 5, 8, 9
NAMES = {2: "time", 4: "bit field", 6: "compound", 7: "reference", 10: "array"}
EXPONENT = {2: 5, 4: 8, 8: 11}  # bits of an IEEE float's exponent, by size


@dataclass(frozen=True)
class Type:
    """A datatype. `code` is numpy's: "<f4", "|i1", "|V2", "S12"; "O" is a string of variable length."""

    code: str
    size: int


@dataclass(frozen=True)
class Dataspace:
    """The shape, and how far each axis may grow (None: without end)."""

    shape: Shape
    most: tuple[int | None, ...]


def dataspace(reader: Reader, data: bytes) -> Dataspace:
    """The dataspace; the shape of a null one is (0,)."""
    c = Cursor(reader, data)
    version, rank, flags = c.uint(1), c.uint(1), c.uint(1)
    if version not in (1, 2) or rank > 32:
        reader.damaged(f"a dataspace of version {version} and rank {rank}")
    kind = c.uint(1)
    c.take(4 if version == 1 else 0)
    if version == 2 and kind == 2:
        return Dataspace((0,), (0,))
    shape = tuple(c.length() for _ in range(rank))
    endless = (1 << 8 * reader.lengths) - 1
    most = tuple(None if n == endless else n for n in [c.length() for _ in range(rank)]) if flags & 1 else shape
    if size(shape) >= 1 << 48:
        reader.damaged(f"a dataspace of shape {shape}")
    return Dataspace(shape, most)


def datatype(reader: Reader, data: bytes) -> Type:
    """The type of an element."""
    c = Cursor(reader, data)
    kind, flags, nbytes = c.uint(1) & 15, c.uint(3), c.uint(4)
    order = ">" if flags & 1 else "<"
    if kind == INTEGER and nbytes in (1, 2, 4, 8):
        c.take(2)
        if c.uint(2) != 8 * nbytes:
            reader.refuse("an integer of odd precision")
        sign = "i" if flags & 8 else "u"
        return Type(f"|{sign}1" if nbytes == 1 else f"{order}{sign}{nbytes}", nbytes)
    if kind == FLOAT and nbytes in (2, 4, 8):
        c.take(5)
        exponent = c.uint(1)
        if nbytes == 2 and exponent == 8 and order == "<":
            return Type("|V2", 2)  # bfloat16
        if exponent != EXPONENT[nbytes] or flags & 0x40:
            reader.refuse(f"a float of {nbytes} bytes with an exponent of {exponent} bits")
        return Type(f"{order}f{nbytes}", nbytes)
    if kind == STRING and nbytes:
        return Type(f"S{nbytes}", nbytes)
    if kind == OPAQUE and nbytes:
        return Type(f"|V{nbytes}", nbytes)
    if kind == ENUM:
        return datatype(reader, c.take(c.left))
    if kind == VARIABLE and flags & 15 == 1:
        return Type("O", 4 + reader.offsets + 4)
    reader.refuse(f"a datatype of class {NAMES.get(kind, kind)}")


def attribute(reader: Reader, data: bytes, shared: bool) -> tuple[str, Any]:
    """(name, value) of an attribute message; the value is a number, a string, or a flat list."""
    c = Cursor(reader, data)
    version, flags = c.uint(1), c.uint(1)
    if version not in (1, 2, 3):
        reader.damaged(f"an attribute of version {version}")
    sizes = [c.uint(2) for _ in range(3)]
    c.take(1 if version == 3 else 0)
    parts = []
    for n in sizes:
        parts.append(c.take(n))
        c.take(-n % 8 if version == 1 else 0)
    name = parts[0].rstrip(b"\0").decode("utf-8", "replace")
    if shared or (version > 1 and flags & 3):
        reader.refuse(f"attribute {name!r} uses a shared type")
    kind, shape = datatype(reader, parts[1]), dataspace(reader, parts[2]).shape
    count = size(shape)
    if count * kind.size > c.left:
        reader.damaged(f"attribute {name!r} holds {c.left} bytes; {count} elements take {count * kind.size}")
    found = values(reader, c.take(count * kind.size), kind, count)
    return name, found if shape else found[0]


def values(reader: Reader, data: bytes, kind: Type, count: int) -> list[Any]:
    """The elements as Python values; strings as str."""
    if kind.code == "O":
        return [_variable(reader, data[i * kind.size : (i + 1) * kind.size]) for i in range(count)]
    parts = [data[i * kind.size : (i + 1) * kind.size] for i in range(count)]
    if kind.code[0] == "S":
        return [p.split(b"\0")[0].decode("utf-8", "replace") for p in parts]
    if kind.code[1] == "V":
        return parts
    order = kind.code[0].replace("|", "<")
    if kind.code[1] == "f":
        return [float(v) for v in struct.unpack(f"{order}{count}{'eefd'[kind.size.bit_length() - 1]}", data)]
    return [int.from_bytes(p, "big" if order == ">" else "little", signed=kind.code[1] == "i") for p in parts]


def _variable(reader: Reader, data: bytes) -> str:
    """A string of variable length, from the global heap."""
    c = Cursor(reader, data)
    length, heap, index = c.uint(4), c.address(), c.uint(4)
    if not length or not heap:
        return ""
    c = reader.cursor(heap, 8 + reader.lengths, "a global heap")
    c.expect(b"GCOL")
    c.take(4)
    at, end = heap + 8 + reader.lengths, heap + c.length()
    while at + 8 + reader.lengths <= end:
        c = reader.cursor(at, 8 + reader.lengths, "a global heap")
        found, _, nbytes = c.uint(2), c.take(6), c.length()
        if found == index and length <= nbytes:
            return reader.read(at + 8 + reader.lengths, length, "a string").rstrip(b"\0").decode("utf-8", "replace")
        if not found:
            break
        at += 8 + reader.lengths + nbytes + -nbytes % 8
    reader.damaged(f"string {index} is not in its heap")
