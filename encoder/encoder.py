#!/usr/bin/env python3
"""A trained model to what a page fetches: NAME_weights.buf, NAME_metadata.json, and NAME.json where there is a model.

    python encoder/encoder.py MODEL [-o DIR] [--name NAME] [--quantize float16|uint16|uint8] [--shard-mib N]

MODEL is what Keras 1, 2 or 3 saved (.h5, .hdf5, .keras), or the model.json of a TF.js layers model, whose .bin files
lie beside it. Needs h5py and numpy only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

if __name__ == "__main__":  # from a checkout, installed or not
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from webkeras import dialects, files
from webkeras import format as layout
from webkeras.buffer import HostBuffer
from webkeras.errors import WebKerasError
from webkeras.hdf5.messages import Type
from webkeras.matching import match, split, walk
from webkeras.spec import LayerSpec
from webkeras.weights import Tensor


class BadInput(Exception):
    """The input cannot be encoded; the message is the sentence to print."""


class Group:
    """An h5py group as webkeras.files wants one: the encoder reads all that h5py can."""

    def __init__(self, group: Any) -> None:
        self.h5 = group
        self.name = group.name

    @property
    def attrs(self) -> dict[str, Any]:
        return {k: plain(v) for k, v in self.h5.attrs.items()}

    @property
    def links(self) -> dict[str, int]:
        """Addresses by name: members that are there twice have one."""
        return {k: h5py.h5o.get_info(self.h5.id, k.encode()).addr for k in self.h5}

    def __iter__(self) -> Iterator[str]:
        return iter(self.h5)

    def group(self, path: str) -> Group | None:
        found = self.h5.get(path)
        return Group(found) if isinstance(found, h5py.Group) else None

    def dataset(self, path: str) -> Dataset | None:
        found = self.h5.get(path)
        return Dataset(found) if isinstance(found, h5py.Dataset) else None


class Dataset:
    """An h5py dataset, likewise; it is its own buffer, read when asked."""

    def __init__(self, dataset: Any) -> None:
        self.h5, self.shape = dataset, tuple(dataset.shape or ())
        self.type = Type("|i1" if dataset.dtype.kind == "b" else dataset.dtype.str, dataset.dtype.itemsize)
        self.attrs = {k: plain(v) for k, v in dataset.attrs.items()}
        self.nbytes = dataset.size * dataset.dtype.itemsize

    def bytes(self) -> tuple[Dataset, int]:
        return self, 0

    def read(self, offset: int, nbytes: int) -> Any:
        raw = self.h5[()].tobytes()
        return raw[offset : offset + nbytes]


def plain(value: Any) -> Any:
    """An attribute's value; text is bytes in some files and str in others."""
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.ravel()]
    return value.decode() if isinstance(value, bytes) else value


def opened(buffer: Any, name: str) -> Group:
    """HDF5 by h5py."""
    return Group(h5py.File(files.Raw(buffer), "r"))


@dataclass(frozen=True)
class Model:
    """What is written: the architecture's JSON, the Keras it is of, the weights in order."""

    architecture: str | None
    version: str | None
    weights: list[Tensor]
    backend: str = ""
    keep: bool = False  # types and quantisation as they are; else float32, as Keras.js had it


def read(path: Path) -> Model:
    """A model's file, whatever it is."""
    file = files.File(HostBuffer(path.read_bytes()), path.name)
    beside = {name: HostBuffer((path.parent / name).read_bytes()) for name in files.named({"model": file})["model"]}
    held = files.contents(file, opened, others=beside)
    if held.weights is None:
        raise BadInput("is no HDF5, .keras or TF.js layers model; expected one of these")
    here = held.weights
    if not isinstance(here, dict):
        if held.architecture is None:
            raise BadInput("holds weights by their place in a model, but no model; expected the whole .keras file")
        spec = dialects.read(held.architecture, path.name, held.version)
        if isinstance(here, list):
            here = split(spec, here, has_weights)
        else:
            here = {"": [t for _, _, tensors in walk(spec, match(spec, here, has_weights)) for t in tensors]}
    tensors = [
        t if t.layer else replace(t, layer=layer)
        for layer, found in here.items()
        for t in {id(t): t for t in found}.values()
        if isinstance(t, Tensor)
    ]
    keep = isinstance(held.weights, list)  # TF.js quantises, too
    return Model(held.architecture, held.version, tensors, held.backend, keep)


def has_weights(layer: LayerSpec) -> bool:
    """Where names do not tell whose a weight is, all layers but inputs count."""
    return layer.class_name != "InputLayer"


def encoded(t: Tensor, scheme: str | None, keep: bool) -> tuple[bytes, str, float, float]:
    """(bytes to write, type, min, scale) under a quantisation; small tensors stay float32, they cost nothing.

    What is read back differs by at most half a step, (max - min) / 510 for uint8 and / 131070 for uint16; for float16
    by 2^-11 of the value.
    """
    if keep and scheme is None:
        return t.buffer.read(t.offset, t.nbytes), t.type, t.min, t.scale
    values = t.array()
    if scheme is None or values.size < 32:
        return values.astype("<f4").tobytes(), "float32", 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise BadInput("is not finite; expected finite weights with --quantize")
    if scheme == "float16":
        if max(-low, high) > 65504:
            raise BadInput(f"reaches {max(-low, high):g}, beyond float16's 65504; expected smaller weights")
        return values.astype("<f2").tobytes(), scheme, 0.0, 1.0
    scale = (high - low) / np.iinfo(scheme).max or 1.0
    steps = np.rint((values.astype("float64") - low) / scale)
    return steps.astype(np.dtype(scheme).newbyteorder("<")).tobytes(), scheme, low, scale


def encode(
    source: Path, out: Path, name: str, scheme: str | None, shard: int | None
) -> tuple[list[list[str]], list[Path]]:
    """Write the files; return the rows of the table and the paths. Nothing stays behind when something fails."""
    model = read(source)
    with tempfile.TemporaryDirectory() as scratch:
        folder, entries, rows, offset = Path(scratch), [], [], 0
        with open(folder / "all", "wb") as buf:
            for i, t in enumerate(model.weights):
                try:
                    raw, kind, low, scale = encoded(t, scheme, model.keep)
                except BadInput as e:
                    raise BadInput(f"weight {t.name!r} of layer {t.layer!r} {e}") from None
                entries.append(layout.Entry(t.layer, t.name, offset, t.shape, kind, low, scale))
                digest = hashlib.sha256(raw).hexdigest()[:12]
                rows.append([t.layer, t.name, str(t.shape), str(len(raw)), kind, digest])
                offset += buf.write(raw)
                progress(i + 1, len(model.weights), offset)
        shards = split_file(folder, name, offset, shard)
        text = layout.dump(entries, shards, model.version)
        layout.parse(text, f"{name}_metadata.json")
        (folder / f"{name}_metadata.json").write_text(text)
        if model.architecture is not None:
            (folder / f"{name}.json").write_text(architecture(model))
        out.mkdir(parents=True, exist_ok=True)
        return rows, [Path(shutil.move(path, out / path.name)) for path in sorted(folder.iterdir())]


def architecture(model: Model) -> str:
    """The model's JSON with the version that wrote it, and the backend that ran it."""
    try:
        text = json.loads(model.architecture or "")
    except ValueError as e:
        raise BadInput(f"model_config: not JSON ({e}); expected what Keras wrote") from None
    if not isinstance(text, dict):
        raise BadInput("model_config: no JSON object; expected what Keras wrote")
    told = {"keras_version": model.version, "backend": model.backend}
    return json.dumps({**text, **{k: v for k, v in told.items() if v}})


def split_file(folder: Path, name: str, total: int, shard: int | None) -> list[layout.Shard]:
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
    parser = argparse.ArgumentParser(prog="encoder.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "model", type=Path, help="a Keras .keras, .h5 or .hdf5 file, or the model.json of a TF.js model"
    )
    parser.add_argument("-o", "--out", type=Path, help="folder to write to (default: beside the input)")
    parser.add_argument("--name", help="base name of the files (default: the input's)")
    parser.add_argument("--quantize", choices=["float16", "uint16", "uint8"], help="smaller weights, less exact")
    parser.add_argument("--shard-mib", type=mebibytes, metavar="N", help="split the weights into files of N MiB")
    args = parser.parse_args(argv)
    out, name = args.out or args.model.parent, args.name or args.model.name.split(".")[0]
    try:
        if not args.model.is_file():
            raise BadInput("there is no such file")
        if Path(name).name != name:
            raise BadInput(f"--name {name}: no file is called so; give -o for the folder, and a plain name")
        if out / f"{name}.json" == args.model:
            raise BadInput("would be overwritten; give another --name, or a folder with -o")
        rows, paths = encode(args.model, out, name, args.quantize, args.shard_mib)
    except (BadInput, WebKerasError) as e:
        print(f"encoder: {args.model}: {str(e).removeprefix(f'{args.model.name}: ')}", file=sys.stderr)
        return 1
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as e:
        print(f"encoder: {args.model}: cannot be encoded ({' '.join(str(e).split())})", file=sys.stderr)
        return 1
    print(table(rows))
    for path in paths:
        print(f"{path}  {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
