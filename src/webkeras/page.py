"""What the page's JavaScript calls (web/engine.mjs): typed arrays in, typed arrays out, numpy never needed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from webkeras import dialects, weights
from webkeras.backends import available, choose
from webkeras.errors import ShapeError
from webkeras.format import parse
from webkeras.model import Model
from webkeras.shapes import Shape, size
from webkeras.trace import input_shapes


@dataclass(frozen=True)
class JsBuffer:
    """An ArrayBuffer that stays in JavaScript's hands."""

    js: Any
    nbytes: int

    def read(self, offset: int, nbytes: int) -> bytes:
        """A copy of some of it, for the reference backend."""
        from js import Uint8Array

        taken: bytes = Uint8Array.new(self.js, offset, nbytes).to_bytes()
        return taken


def load(model: str, metadata: str, buffer: Any, backend: str, names: Any) -> Model:
    """A model from the text of its files and the ArrayBuffer of its weights.

    `names` are the files' (model, weights, metadata), for errors. Raises ConfigError, WeightsError or NoBackend.
    """
    file, weights_file, metadata_file = names.to_py()
    spec = dialects.read(model, file)
    held = JsBuffer(buffer, buffer.byteLength)
    found = weights.read(parse(metadata, metadata_file), held, weights_file)
    return Model(spec, found, choose(backend))


def shards(metadata: str, file: str) -> str:
    """JSON list of the weight files that metadata names; empty where there is one file."""
    return json.dumps([s.file for s in parse(metadata, file).shards])


def describe(model: Model) -> str:
    """JSON: inputs, outputs, layers, backend, stats."""
    return json.dumps(
        {
            "name": model.spec.name,
            "inputs": [vars(i) for i in model.inputs],
            "outputs": [vars(o) for o in model.outputs],
            "layers": [
                {"name": s.name, "class": s.class_name, "inbound": [r.layer for c in s.calls for r in c.refs()]}
                for s in model.spec.layers
            ],
            "backend": model.backend.name,
            "stats": model.stats,
        }
    )


async def warm(model: Model) -> None:
    """Make ready for one sample, where the file says how large that is."""
    shapes = input_shapes(model.spec)
    if all(s is not None and None not in s[1:] for s in shapes.values()):
        await model.prepare_async({k: (1, *(d or 1 for d in (s or ())[1:])) for k, s in shapes.items()})


async def predict(model: Model, inputs: Any) -> Any:
    """inputs {name: {data: Float32Array, shape?: [numbers]}} -> {name: {data: Float32Array, shape}}."""
    from js import Float32Array, Object
    from pyodide.ffi import to_js

    given = inputs.to_py(depth=2, default_converter=lambda x, *_: x)
    known = input_shapes(model.spec)
    if set(given) == {"input"} and len(known) == 1:
        given = {next(iter(known)): given["input"]}
    if set(given) != set(known):
        raise ShapeError(f"model {model.spec.name!r} got inputs {sorted(given)}; expected {sorted(known)}")
    shapes = {k: shape_of(k, given[k], known[k]) for k in known}
    ready = await model.prepare_async(shapes)
    flat = await ready.executable.run_async({k: given[k]["data"] for k in known})
    out = []
    for k, y in flat.items():
        data = y if hasattr(y, "js_id") else Float32Array.new(to_js(memoryview(y)))
        out.append([k, Object.fromEntries(to_js([["data", data], ["shape", to_js(list(ready.shapes[k]))]]))])
    return Object.fromEntries(to_js(out))


def shape_of(name: str, given: Any, known: tuple[int | None, ...] | None) -> Shape:
    """The shape of a flat input: told, or worked out from the model's and the number of elements.

    Raises ShapeError where it cannot be.
    """
    length = int(given["data"].length)
    told = given.get("shape")
    if told is not None:
        shape = tuple(int(d) for d in told)
        if known is not None and len(shape) == len(known) - 1:
            shape = (1, *shape)
        if size(shape) != length:
            raise ShapeError(f"input {name!r} holds {length} numbers, its shape {shape} takes {size(shape)}")
        return shape
    if known is None or None in known[1:]:
        raise ShapeError(f"input {name!r} has open dimensions {known}; give {{data, shape}} instead of the data alone")
    sample = tuple(d for d in known[1:] if d is not None)
    if not length or length % size(sample):
        raise ShapeError(f"input {name!r} holds {length} numbers; expected {size(sample)} for each sample {sample}")
    return (length // size(sample), *sample)


def offered() -> str:
    """JSON: every backend with "" or the reason why it cannot be used here."""
    return json.dumps(available())
