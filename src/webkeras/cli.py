"""The command `webkeras`: encode, inspect, predict, serve. Needs numpy, and h5py to encode.

webkeras encode model.h5 [-o DIR] [--name NAME] [--quantize float16|uint16|uint8] [--shard-mib N]
webkeras inspect model.json [--weights W --metadata M]
webkeras predict model.json --weights W --metadata M --input x.npy [--output y.npy]
webkeras serve DIR [--port N]
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from webkeras import loading
from webkeras.buffer import Buffer
from webkeras.errors import ConfigError, WebKerasError
from webkeras.files import File, open_model
from webkeras.layers import LAYERS
from webkeras.lazy import np
from webkeras.serve import serve_until_interrupted
from webkeras.shapes import size
from webkeras.spec import LayerSpec, Spec, flat


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 after one sentence on standard error."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["encode"]:  # the encoder has a command line of its own
        return int(encoder().main(given[1:]))
    args = parser().parse_args(given)
    try:
        args.run(args)
    except (WebKerasError, OSError, ValueError) as e:
        print(f"webkeras {args.command}: {' '.join(str(e).split())}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="webkeras", description="Trained Keras models, for the browser.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser(
        "encode", help="a Keras file to what a page fetches; see encode --help", add_help=False
    )

    one = commands.add_parser("inspect", help="what is in a model, and whether all of it is supported")
    files(one)
    one.set_defaults(run=inspect)

    one = commands.add_parser("predict", help="the outputs for inputs in .npy files")
    files(one)
    one.add_argument("--input", action="append", required=True, metavar="[NAME=]X.npy", help="once for each input")
    one.add_argument("--output", type=Path, metavar="Y.npy", help="write the first output here instead of printing it")
    one.add_argument("--backend", default="auto", help="outside a browser: reference, which is numpy")
    one.set_defaults(run=predict)

    one = commands.add_parser("serve", help="serve a folder on this machine, as pages with webkeras like it")
    one.add_argument("folder", type=Path, nargs="?", default=Path())
    one.add_argument("--port", type=port, default=8000, help="8000 where nothing else is said; if taken, any other")
    one.set_defaults(run=lambda args: serve(args.folder, args.port))
    return top


def port(text: str) -> int:
    """0 to 65535, 0 for any that is free."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text}; expected 0 to 65535")
    return int(text)


def files(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", type=Path, help="the model's file")
    command.add_argument("--weights", type=Path, help="the encoder's NAME_weights.buf; found beside NAME.json")
    command.add_argument("--metadata", type=Path, help="the encoder's NAME_metadata.json; found beside NAME.json")


def gathered(args: argparse.Namespace) -> tuple[dict[str, File], dict[str, Buffer]]:
    """The model's files; the encoder's other two are found by their names where they are not given."""
    if args.model.is_dir():
        raise ConfigError(f"{args.model}: a folder; expected a model's file, as model.save('NAME.keras') makes it")
    stem = args.model.with_suffix("")
    beside = [Path(f"{stem}_weights.buf"), Path(f"{stem}_metadata.json")]
    if args.weights is None and args.metadata is None and all(p.exists() for p in beside):
        args.weights, args.metadata = beside
    return loading.gathered(args.model, args.weights, args.metadata)


def inspect(args: argparse.Namespace) -> None:
    """Print the layers with shapes, sizes and inputs; where there are unknown layers, which loading refuses, those."""
    given, beside = gathered(args)
    spec, _ = open_model(given["model"], given.get("weights"), given.get("metadata"), None, beside)
    if missing := unknown(spec):
        print(spec)
        names = ", ".join(f"{s.class_name} {s.name!r}" for s in missing)
        raise ConfigError(f"{args.model}: {len(missing)} of its layers are unknown: {names}; see webkeras.layer")
    model = loading.assembled(given, beside, "reference")
    tensors = {name: weights_of(layer) for name, layer in model.network.layers.items()}
    rows = [["layer", "class", "output", "weights", "reads"]]
    for info in model.layers:
        shape = "?" if info.shape is None else str(tuple("n" if d is None else d for d in info.shape)).replace("'", "")
        count = sum(size(v.shape) for v in tensors[info.name])
        rows.append([info.name, info.class_name, shape, f"{count:,}" if count else "", ", ".join(info.inbound)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    print(f"{model.spec.class_name} {model.spec.name!r}, Keras {model.spec.keras_version or model.spec.dialect}")
    for row in rows:
        print("  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
    total = sum(size(v.shape) for values in tensors.values() for v in values)
    nbytes = sum(v.constant.nbytes for values in tensors.values() for v in values)
    known = f"all supported ({len(LAYERS)} layer names are known)"
    print(f"{total:,} weights of {nbytes:,} bytes; {len(model.layers)} layers, {known}")
    for kind, infos in (("input", model.inputs), ("output", model.outputs)):
        for i in infos:
            print(f"{kind} {i.name!r}: {i.shape}, {i.dtype}")


def unknown(spec: Spec) -> list[LayerSpec]:
    """The layers whose class nobody knows, those of nested models too."""
    inner = [u for s in spec.layers if s.model for u in unknown(s.model)]
    return [s for s in spec.layers if s.model is None and s.class_name not in LAYERS] + inner


def weights_of(layer: Any) -> list[Any]:
    """The weights of a layer, or of every layer of a nested model."""
    inner = getattr(layer, "layers", None)
    if isinstance(inner, dict):
        return [v for child in inner.values() for v in weights_of(child)]
    return list(layer.arrays)


def predict(args: argparse.Namespace) -> None:
    """Print the outputs, or write the first."""
    model = loading.assembled(*gathered(args), args.backend)
    given = [text.partition("=")[::2] if "=" in text else ("", text) for text in args.input]
    arrays = [array(path) for _, path in given]
    if all(name for name, _ in given):
        x: Any = {name: a for (name, _), a in zip(given, arrays, strict=True)}
    else:
        x = arrays if len(arrays) > 1 else arrays[0]
    outputs = flat(model.predict(x))
    if args.output:
        np.save(args.output, outputs[0])
        print(f"{args.output}: {outputs[0].shape}")
        return
    for info, value in zip(model.outputs, outputs, strict=True):
        print(f"{info.name} {value.shape}")
        print(np.array2string(value, precision=6, suppress_small=True, threshold=200))


def array(path: str) -> Any:
    """The array of a .npy file. Raises ConfigError, naming the file."""
    try:
        return np.load(path, allow_pickle=False)
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read ({e.strerror or e})") from None
    except (ValueError, EOFError):  # numpy would have it unpickled
        raise ConfigError(f"{path}: no numbers; expected what numpy.save writes for an array of them") from None


def serve(folder: Path, port: int) -> None:
    """Serve until interrupted."""
    if not folder.is_dir():
        raise OSError(f"{folder}: there is no such folder")
    serve_until_interrupted(folder, port)


def encoder() -> Any:
    """The module of the encoder: in the wheel, or in the repository beside src/."""
    if importlib.util.find_spec("webkeras._encoder"):
        return importlib.import_module("webkeras._encoder")
    path = Path(__file__).resolve().parents[2] / "encoder/encoder.py"
    spec = importlib.util.spec_from_file_location("webkeras_encoder", path)
    if spec is None or spec.loader is None or not path.exists():
        raise WebKerasError("the encoder is not installed; take it from the repository: encoder/encoder.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
