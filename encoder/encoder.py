#!/usr/bin/env python3
"""Keras HDF5 to what a page fetches: NAME_weights.buf, NAME_metadata.json, and NAME.json where the file has a model.

    python encoder/encoder.py model.hdf5 [-o DIR] [--name NAME] [--quantize float16|uint16|uint8] [--shard-mib N]

Needs h5py and numpy only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

try:
    from webkeras import format as layout
except ImportError:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
    from webkeras import format as layout

Weight = tuple[str, str, Any]  # layer, weight, HDF5 dataset


class BadInput(Exception):
    """The input cannot be encoded; the message is the sentence to print."""


def attribute(group: Any, name: str) -> list[str]:
    """A list of names; Keras splits one above 64 kB into name0, name1, ..."""
    if name in group.attrs:
        parts = [group.attrs[name]]
    else:
        parts = []
        while f"{name}{len(parts)}" in group.attrs:
            parts.append(group.attrs[f"{name}{len(parts)}"])
        if not parts:
            raise BadInput(f"{group.file.filename}: {group.name} has no attribute {name!r}; expected a Keras HDF5 file")
    return [text(n) for part in parts for n in part]


def text(value: Any) -> str:
    """An attribute that is bytes in some files and str in others."""
    return value.decode() if isinstance(value, bytes) else str(value)


def weights(file: Any) -> Iterator[Weight]:
    """Every weight in the file's own order."""
    root = file["model_weights"] if "layer_names" not in file.attrs and "model_weights" in file else file
    for layer in attribute(root, "layer_names"):
        for name in attribute(root[layer], "weight_names"):
            if name not in root[layer]:
                raise BadInput(f"{file.filename}: layer {layer!r} names the weight {name!r} but does not hold it")
            yield layer, name, root[layer][name]


def encoded(array: Any, scheme: str | None) -> tuple[Any, float, float]:
    """(array to write, min, scale) under a quantisation; small tensors stay float32, they cost nothing."""
    values = np.ascontiguousarray(array, "<f4")
    if scheme is None or values.size < 32:
        return values, 0.0, 1.0
    if scheme == "float16":
        return values.astype("<f2"), 0.0, 1.0
    steps = np.iinfo(scheme).max
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise BadInput("a weight is not finite; expected finite weights with --quantize")
    scale = (high - low) / steps or 1.0
    return np.rint((values - low) / scale).astype(np.dtype(scheme).newbyteorder("<")), low, scale


def encode(source: Path, out: Path, name: str, scheme: str | None, shard: int | None) -> list[list[str]]:
    """Write the files; return the rows of the table. Nothing stays behind when something fails."""
    with h5py.File(source, "r") as file, tempfile.TemporaryDirectory(dir=out) as scratch:
        version = text(file.attrs["keras_version"]) if "keras_version" in file.attrs else None
        folder, entries, rows, offset = Path(scratch), [], [], 0
        found = list(weights(file))
        with open(folder / "all", "wb") as buf:
            for i, (layer, weight, data) in enumerate(found):
                array, low, scale = encoded(data[()], scheme)
                raw = array.tobytes()
                entries.append(layout.Entry(layer, weight, offset, array.shape, array.dtype.name, low, scale))
                rows.append([layer, weight, str(array.shape), array.dtype.name, hashlib.sha256(raw).hexdigest()[:12]])
                offset += buf.write(raw)
                progress(i + 1, len(found), offset)
        shards = split(folder, name, offset, shard)
        model = file.attrs.get("model_config")
        files = {f"{name}_metadata.json": layout.dump(entries, shards, version)}
        if model is not None:
            files[f"{name}.json"] = json.dumps({**json.loads(text(model)), "keras_version": version})
        for file_name, content in files.items():
            (folder / file_name).write_text(content)
        for path in folder.iterdir():
            path.replace(out / path.name)
    return rows


def split(folder: Path, name: str, total: int, shard: int | None) -> list[layout.Shard]:
    """Name the weight file, or cut it into shards."""
    whole = folder / "all"
    if not shard or total <= shard:
        whole.rename(folder / f"{name}_weights.buf")
        return []
    shards = []
    with open(whole, "rb") as buf:
        while part := buf.read(shard):
            shards.append(layout.Shard(f"{name}_weights.{len(shards)}.buf", len(part)))
            (folder / shards[-1].file).write_bytes(part)
    whole.unlink()
    return shards


def progress(done: int, of: int, nbytes: int) -> None:
    """A line that rewrites itself, on a terminal and for more than 8 MB."""
    if sys.stderr.isatty() and nbytes > 8_000_000:
        print(f"\r{done}/{of} weights, {nbytes / 1e6:.1f} MB", end="\n" if done == of else "", file=sys.stderr)


def table(rows: list[list[str]]) -> str:
    """Columns, aligned."""
    rows = [["layer", "weight", "shape", "dtype", "sha256"], *rows]
    widths = [max(len(r[i]) for r in rows) for i in range(5)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="encoder.py", description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="a Keras .hdf5 or .h5 file")
    parser.add_argument("-o", "--out", type=Path, help="folder to write to (default: beside the input)")
    parser.add_argument("--name", help="base name of the files (default: the input's)")
    parser.add_argument("--quantize", choices=["float16", "uint16", "uint8"], help="smaller weights, less exact")
    parser.add_argument("--shard-mib", type=int, metavar="N", help="split the weights into files of N MiB")
    args = parser.parse_args(argv)
    out, name = args.out or args.model.parent, args.name or args.model.stem
    try:
        if args.shard_mib is not None and args.shard_mib < 1:
            raise BadInput(f"--shard-mib {args.shard_mib}; expected 1 or more")
        out.mkdir(parents=True, exist_ok=True)
        rows = encode(args.model, out, name, args.quantize, args.shard_mib and args.shard_mib << 20)
    except (BadInput, OSError, KeyError, ValueError) as e:
        print(f"encoder: {args.model}: {e if isinstance(e, BadInput) else f'cannot be encoded ({e})'}", file=sys.stderr)
        return 1
    print(table(rows))
    for path in sorted(out.glob(f"{name}*")):
        if path.suffix in (".buf", ".json"):
            print(f"{path}  {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
