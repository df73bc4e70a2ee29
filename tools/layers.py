"""Writes LAYERS.md from the layers and their goldens: python -m tools.layers

A row an option: every value that genuine Keras of a dialect answered with in tests/golden/layers, and ours as well.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from webkeras.layers import LAYERS  # noqa: E402
from webkeras.layers.base import IGNORED  # noqa: E402

GOLDEN = ROOT / "tests/golden/layers"
SHOWN = 8  # values of an option that are shown

#: What Keras has and a model file may hold, and why it is refused, always by name.
REFUSED = {
    "any layer": "a config key that no row here names and that means something at inference",
    "any layer, Keras 3": "dtype policies of float8, GPTQ and AWQ: their scales are not read",
    "MultiHeadAttention, GroupQueryAttention": "int4: Keras 3.15 itself cannot load what it saved",
    "TimeDistributed": "over a quantised Dense: Keras leaves the scales out and answers wrongly",
    "InputLayer": "ragged inputs: pad the rows, and mask the padding",
    "StringLookup": "`invert`, for text comes out; Hashing of values computed inside the model, for they are no text",
    "IntegerLookup": "oov_method `farmhash` with several places outside: Keras hashes the decimal text",
    "text layers in JavaScript": "the page takes numbers; Python takes text",
    "ConvLSTM2D, Keras 1": "not refused: `subsample` is not saved by Keras 1, so 1 is taken and a warning says so",
    "ZeroPadding, Cropping, UpSampling, Keras 1": "not refused: `dim_ordering` is not saved; it is the other layers', "
    "or else `tf`, and a warning says so",
    "DenseFeatures, TFSMLayer, JaxLayer, FlaxLayer, TorchModuleWrapper": "what they hold is another library's",
    "MaxPooling3D, AveragePooling3D": "not refused: with strides above the window and `same`, TensorFlow on a CPU lets "
    "windows begin too late; ours begin where its documentation, its GPU, JAX and the 2D layers have them",
    "RNN layers, Keras 3": "not refused: backends differ for masked steps (unrolled and zeroed, or stateful); ours is "
    "what TensorFlow and Torch answer",
    "Lambda, custom layers": "until a meaning is registered: code inside a file is never run",
}

HEAD = """# Layers, dialects and options

Written by `python -m tools.layers` from the layers' own declarations and the goldens of genuine Keras; a test fails
when it is out of date. A number is how many models of that Keras a layer was compared in; a value stands where one of
them had it; - means that no golden has the option, which is read all the same. What no row names is training's, or an
error.

"""


def goldens() -> Iterator[tuple[int, str, list[Any]]]:
    """(dialect, class, configs of the models in it) of every golden file."""
    spec = importlib.util.spec_from_file_location("golden_file", GOLDEN / "golden_file.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for path in sorted(GOLDEN.glob("keras*/*.npz")):
        yield int(path.parent.name[5]), path.stem, [c.config for c in module.read(path)[1]]


def layers(config: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(class, config) of everything in a model's config that has both."""
    if isinstance(config, dict):
        inner = config.get("config")
        if isinstance(config.get("class_name"), str) and isinstance(inner, dict):
            yield config["class_name"], inner
        for v in config.values():
            yield from layers(v)
    elif isinstance(config, list):
        for v in config:
            yield from layers(v)


def shown(value: Any) -> str:
    """A value as a cell has it."""
    if isinstance(value, dict):
        value = value.get("class_name", "an object")
    if isinstance(value, float):
        value = float(f"{value:.6g}")  # Keras 2 writes float32 as it is
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 24 else f"{text[:20]} ..."


def declared(cls: Any) -> list[Any]:
    """The options that a layer declares, without those that mean nothing at inference."""
    return [key for key in list(cls.keys()) if key.name not in IGNORED]


def seen() -> tuple[dict[tuple[int, type], int], dict[tuple[int, type, str], dict[str, None]]]:
    """How many models of a dialect hold a layer; which values an option of it had there."""
    models: dict[tuple[int, type], int] = {}
    values: dict[tuple[int, type, str], dict[str, None]] = {}
    for dialect, _, configs in goldens():
        for config in configs:
            found: set[type] = set()
            for name, inner in layers(config):
                cls = LAYERS.get(name)
                if cls is None:
                    continue
                found.add(cls)
                for key in declared(cls):
                    spelled = key.spelled(dialect, cls.rank)
                    for one in spelled if isinstance(spelled, tuple) else (spelled,):
                        if one in inner:
                            values.setdefault((dialect, cls, key.name), {})[shown(inner[one])] = None
            for cls in found:
                models[dialect, cls] = models.get((dialect, cls), 0) + 1
    return models, values


def text() -> str:
    """LAYERS.md."""
    models, values = seen()
    names: dict[type, list[str]] = {}
    for name, cls in LAYERS.items():
        if cls.__module__.startswith("webkeras.layers."):
            names.setdefault(cls, []).append(name)
    families: dict[str, list[type]] = {}
    for cls in names:
        families.setdefault(cls.__module__.rpartition(".")[2].replace("_", " "), []).append(cls)
    out = [HEAD]
    for family, classes in sorted(families.items()):
        out.append(f"## {family}\n\n| layer | option | Keras 1 | Keras 2 | Keras 3 |\n|---|---|---|---|---|\n")
        for cls in classes:
            counts = [str(models.get((d, cls), "-")) for d in (1, 2, 3)]
            out.append(f"| **{', '.join(names[cls])}** | | {' | '.join(counts)} |\n")
            for key in declared(cls):
                cells = []
                for d in (1, 2, 3):
                    had = [f"`{v}`" for v in values.get((d, cls, key.name), {})]
                    cells.append(", ".join(had[:SHOWN] + ["..."] * (len(had) > SHOWN)).replace("|", "\\|") or "-")
                out.append(f"| | {key.name} | {' | '.join(cells)} |\n")
        out.append("\n")
    out.append("## What is refused, and why\n\n| what | why |\n|---|---|\n")
    out += [f"| {what} | {why} |\n" for what, why in REFUSED.items()]
    return "".join(out)


if __name__ == "__main__":
    (ROOT / "LAYERS.md").write_text(text())
