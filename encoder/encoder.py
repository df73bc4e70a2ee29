#!/usr/bin/env python3
"""Keras HDF5 to what a page fetches: NAME_weights.buf, NAME_metadata.json, and NAME.json where the file has a model.

    python encoder/encoder.py model.hdf5 [-o DIR] [--name NAME] [--quantize float16|uint16|uint8] [--shard-mib N]

Needs h5py and numpy only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
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
            raise BadInput(f"{group.name} has no attribute {name!r}; expected a Keras HDF5 file")
    return [text(n) for part in parts for n in part]


def text(value: Any) -> str:
    """An attribute that is bytes in some files and str in others."""
    return value.decode() if isinstance(value, bytes) else str(value)


def weights(file: Any) -> Iterator[Weight]:
    """Every weight in the file's own order."""
    root = file["model_weights"] if "layer_names" not in file.attrs and "model_weights" in file else file
    seen = set()
    for layer in attribute(root, "layer_names"):
        if not isinstance(root.get(layer), h5py.Group):
            raise BadInput(f"the list of layers names the layer {layer!r}, but the file does not hold it")
        for name in attribute(root[layer], "weight_names"):
            data = root[layer].get(name)
            if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "fiub":
                raise BadInput(f"layer {layer!r} names the weight {name!r}, but the file holds no numbers under it")
            if (layer, name) in seen:
                raise BadInput(f"layer {layer!r} names the weight {name!r} twice; expected each once")
            seen.add((layer, name))
            yield layer, name, data


def encoded(array: Any, scheme: str | None) -> tuple[Any, float, float]:
    """(array to write, min, scale) under a quantisation; small tensors stay float32, they cost nothing.

    What is read back differs by at most half a step, (max - min) / 510 for uint8 and / 131070 for uint16; for float16
    by 2^-11 of the value.
    """
    values = np.ascontiguousarray(array, "<f4").reshape(np.shape(array))
    if scheme is None or values.size < 32:
        return values, 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise BadInput("is not finite; expected finite weights with --quantize")
    if scheme == "float16":
        if max(-low, high) > 65504:
            raise BadInput(f"reaches {max(-low, high):g}, beyond float16's 65504; expected smaller weights")
        return values.astype("<f2"), 0.0, 1.0
    scale = (high - low) / np.iinfo(scheme).max or 1.0
    return np.rint((values.astype("float64") - low) / scale).astype(np.dtype(scheme).newbyteorder("<")), low, scale


def encode(
    source: Path, out: Path, name: str, scheme: str | None, shard: int | None
) -> tuple[list[list[str]], list[Path]]:
    """Write the files; return the rows of the table and the paths. Nothing stays behind when something fails."""
    with h5py.File(source, "r") as file, tempfile.TemporaryDirectory() as scratch:
        version = text(file.attrs["keras_version"]) if "keras_version" in file.attrs else None
        folder, entries, rows, offset = Path(scratch), [], [], 0
        found = list(weights(file))
        with open(folder / "all", "wb") as buf:
            for i, (layer, weight, data) in enumerate(found):
                try:
                    array, low, scale = encoded(data[()], scheme)
                except BadInput as e:
                    raise BadInput(f"weight {weight!r} of layer {layer!r} {e}") from None
                raw = array.tobytes()
                entries.append(layout.Entry(layer, weight, offset, array.shape, array.dtype.name, low, scale))
                digest = hashlib.sha256(raw).hexdigest()[:12]
                rows.append([layer, weight, str(array.shape), str(len(raw)), array.dtype.name, digest])
                offset += buf.write(raw)
                progress(i + 1, len(found), offset)
        shards = split(folder, name, offset, shard)
        (folder / f"{name}_metadata.json").write_text(layout.dump(entries, shards, version))
        if "model_config" in file.attrs:
            (folder / f"{name}.json").write_text(architecture(text(file.attrs["model_config"]), version))
        out.mkdir(parents=True, exist_ok=True)
        return rows, [Path(shutil.move(path, out / path.name)) for path in sorted(folder.iterdir())]


def architecture(config: str, version: str | None) -> str:
    """The model's JSON with the version that wrote it."""
    try:
        model = json.loads(config)
    except ValueError as e:
        raise BadInput(f"model_config: not JSON ({e}); expected what Keras wrote") from None
    if not isinstance(model, dict):
        raise BadInput("model_config: no JSON object; expected what Keras wrote")
    return json.dumps({**model, "keras_version": version})


def split(folder: Path, name: str, total: int, shard: int | None) -> list[layout.Shard]:
    """Name the weight file, or cut it into shards."""
    whole = folder / "all"
    if not shard or total <= shard:
        whole.rename(folder / f"{name}_weights.buf")
        return []
    shards: list[layout.Shard] = []
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
    rows = [["layer", "weight", "shape", "bytes", "dtype", "sha256"], *rows]
    widths = [max(len(r[i]) for r in rows) for i in range(6)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows)


def mebibytes(text: str) -> int:
    """A command-line number of MiB as bytes."""
    n = int(text)
    if n < 1:
        raise argparse.ArgumentTypeError(f"{n}; expected 1 or more")
    return n << 20


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="encoder.py", description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="a Keras .hdf5 or .h5 file")
    parser.add_argument("-o", "--out", type=Path, help="folder to write to (default: beside the input)")
    parser.add_argument("--name", help="base name of the files (default: the input's)")
    parser.add_argument("--quantize", choices=["float16", "uint16", "uint8"], help="smaller weights, less exact")
    parser.add_argument("--shard-mib", type=mebibytes, metavar="N", help="split the weights into files of N MiB")
    args = parser.parse_args(argv)
    out, name = args.out or args.model.parent, args.name or args.model.stem
    try:
        if not args.model.is_file():
            raise BadInput("there is no such file")
        if not h5py.is_hdf5(args.model):
            raise BadInput("is not HDF5; expected a Keras .h5 or .hdf5 file")
        rows, paths = encode(args.model, out, name, args.quantize, args.shard_mib)
    except (BadInput, OSError, KeyError, ValueError, RuntimeError) as e:
        why = str(e) if isinstance(e, BadInput) else f"cannot be encoded ({' '.join(str(e).split())})"
        print(f"encoder: {args.model}: {why}", file=sys.stderr)
        return 1
    print(table(rows))
    for path in paths:
        print(f"{path}  {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
