"""What the page's JavaScript calls (web/engine.mjs): typed arrays in, typed arrays out, numpy never needed."""

from __future__ import annotations

import gc
import json
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from webkeras import files
from webkeras.backends import available, crossing
from webkeras.backends import why_not as why_not  # for the page
from webkeras.backends.wasm import module as wasm
from webkeras.backends.webgl2 import context
from webkeras.errors import ConfigError, FunctionError, ShapeError
from webkeras.fetch import Coming, JsBuffer
from webkeras.layers.outside import Outside, Parts
from webkeras.loading import assembled
from webkeras.model import Model, Prepared
from webkeras.shapes import Shape, size
from webkeras.trace import input_shapes, one_sample, output_names


async def load(
    given: Any, coming: Any, backend: str, keras_version: str | None, theano_kernels: bool | None, functions: Any = None
) -> Model:
    """A model from its files, [kind, name, Uint8Array] each: "model", "weights", "metadata", and the others they name;
    ready for one sample, where the file says how large that is.

    Weights may be still `coming`: [name, promise of their Uint8Array], or null.
    The options are those of `load_model`; `functions` are the page's custom objects, {shapes: JSON, {name: shape or
    null}, call: (name, inputs, {config, weights}) => Promise<Float32Array>}, of which `inputs` and `weights` are lists
    of {data, shape}.
    Raises ConfigError, also where an input is text, WeightsError or NoBackend; nothing is left then.
    """
    named = [(str(kind), files.File(JsBuffer(data), str(name))) for kind, name, data in given]
    beside = {f.name: f.buffer for kind, f in named if kind == "beside"}
    custom = outside(functions) if functions else None
    weights = Coming(coming[1]) if coming else None
    if weights:
        named.append(("weights", files.File(weights, str(coming[0]))))
    model = assembled(dict(named), beside, backend, custom, keras_version or None, theano_kernels)
    tested = context.tested
    try:
        await _warm(model)
        if "prepare" in model.stats:  # waiting was no work
            model.stats["prepare"] -= (weights.waited if weights else 0) + context.tested - tested
        if weights:
            await weights.arrived()
    except BaseException:
        end(model)
        raise
    return model


def outside(functions: Any) -> dict[str, Outside]:
    """The page's functions by name, as custom objects."""

    def one(name: str) -> Callable[..., Any]:
        async def call(inputs: Parts, config: Any, weights: Parts) -> Any:
            xs, ws = ([{"data": numbers(x), "shape": s} for x, s in part] for part in (inputs, weights))
            about = {"config": nulls(config), "weights": ws}
            try:
                return await functions.call(name, to_page(xs), to_page(about))
            except Exception as e:  # a JsException
                raise FunctionError(crossing.words(e)) from None

        return call

    shapes = json.loads(functions.shapes)
    return {name: Outside(name, one(name), None if s is None else tuple(s)) for name, s in shapes.items()}


def to_page(x: Any) -> Any:
    """Lists and dicts as JavaScript's; what is JavaScript's already stays."""
    from js import Object
    from pyodide.ffi import to_js

    return to_js(x, dict_converter=Object.fromEntries)


def nulls(x: Any) -> Any:
    """What a file's JSON holds, null where to_js would say undefined."""
    from pyodide.ffi import jsnull

    if isinstance(x, dict):
        return {k: nulls(v) for k, v in x.items()}
    return [nulls(v) for v in x] if isinstance(x, list | tuple) else jsnull if x is None else x


def numbers(y: Any) -> Any:
    """A backend's flat numbers as a Float32Array."""
    from js import Float32Array
    from pyodide.ffi import to_js

    return y if hasattr(y, "js_id") else Float32Array.new(to_js(memoryview(y)))


def describe(model: Model) -> str:
    """JSON: name, inputs, outputs, layers, backend, stats."""
    layers = [
        {"name": i.name, "class": i.class_name, "shape": i.shape, "inbound": i.inbound, "outbound": i.outbound}
        for i in model.layers
    ]
    return json.dumps(
        {
            "name": model.spec.name,
            "kerasVersion": model.spec.keras_version or str(model.spec.dialect),
            "inputs": [vars(i) for i in model.inputs],
            "outputs": [vars(o) for o in model.outputs],
            "layers": layers,
            "backend": model.backend.name,
            "stats": stats(model),
        }
    )


def stats(model: Model) -> dict[str, float]:
    """Milliseconds, and how many textures all models on the GPU hold, or how many threads there are."""
    held = {}
    if model.backend.name.startswith("webgl2"):
        held["textures"] = int(context.runner().textures)
    elif model.backend.name.startswith("wasm"):
        held["threads"] = int(wasm.kernels().threads)
    return {**model.stats, **held}


async def _warm(model: Model) -> None:
    _takes_numbers(model)
    shapes = one_sample(model.spec)
    if shapes is not None:
        await model.prepare_async(shapes)
    elif model.backend.name.startswith("webgl2"):
        await context.test_async()  # else the first prediction would wait for it


def _takes_numbers(model: Model) -> None:
    """Raises ConfigError where an input is text: the page hands over numbers."""
    for r in model.network.readings:
        what = f"input {r.sources[0]!r} is read by {r.front}"
        raise ConfigError(f"{what}, which works in Python only; load the model there, with webkeras.load_model")


def predict(model: Model, inputs: Any, layers: Any) -> Any:
    """inputs {name: {data: Float32Array, shape?: [numbers]}} -> {outputs: {name: {data, shape}}, own: names, stats}.

    `again: {machine: machine.js' or a plan of runner.js, names: {name as given: the plan's}}` comes too where inputs of
    the same names and shapes can run without asking Python.

    The result itself where nothing has to be waited for (a task of the event loop costs more than a small model's
    run), else something to await.
    """
    return at_once(_predict(model, inputs, layers))


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The coroutine's result if it comes without waiting; else the rest of it, to await."""
    try:
        waiting = coroutine.send(None)
    except StopIteration as done:
        return done.value
    return _awaited(coroutine, waiting)


async def _awaited(coroutine: Coroutine[Any, Any, Any], waiting: Any) -> Any:
    return await _rest(coroutine, waiting)


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, Any], waiting: Any) -> Generator[Any, Any, Any]:
    """A coroutine that has begun and waits for `waiting`, carried on."""
    while True:
        go_on: Callable[[Any], Any] = coroutine.send
        try:
            came = yield waiting
        except BaseException as e:
            go_on, came = coroutine.throw, e
        try:
            waiting = go_on(came)
        except StopIteration as done:
            return done.value


async def _predict(model: Model, inputs: Any, layers: Any) -> Any:
    from js import Object
    from pyodide.ffi import to_js

    ready, flat = await _ready(model, inputs, list(layers))
    out = []
    for k, y in (await model.run_async(ready, flat)).items():
        out.append([k, to_page({"data": numbers(y), "shape": ready.shapes[k]})])
    own, told = to_js(output_names(model.spec)), json.dumps({**stats(model), "backend": model.backend.name})
    parts = [["outputs", Object.fromEntries(to_js(out))], ["own", own], ["stats", told]]
    machine = getattr(ready.executable, "machine", None)
    if machine is not None and not layers.length and not ready.graph.states:
        named = model.named({k: k for k in Object.keys(inputs)})
        names = Object.fromEntries(to_js([[given, name] for name, given in named.items()]))
        parts.append(["again", Object.fromEntries(to_js([["machine", machine], ["names", names]]))])
    return Object.fromEntries(to_js(parts))


async def profile(model: Model, inputs: Any) -> str:
    """JSON: [{layer, op, ms}] of one prediction."""
    return json.dumps([vars(t) for t in await model.profiled_async(*await _ready(model, inputs, []))])


async def _ready(model: Model, inputs: Any, layers: list[str]) -> tuple[Prepared, dict[str, Any]]:
    """What runs these inputs, and the inputs flat, by name. Raises ShapeError, naming the input."""
    given = model.named(inputs.to_py(depth=2, default_converter=lambda x, *_: x))
    known = input_shapes(model.spec)
    shapes = {k: shape_of(k, given[k], known[k]) for k in known}
    return await model.prepare_async(shapes, layers), {k: given[k]["data"] for k in known}


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


def canvas() -> Any:
    """The canvas that webgl2 draws on: it hears when the GPU goes away."""
    return context.runner().gl.canvas


def offered() -> str:
    """JSON: every backend with "" or the reason why it cannot be used here."""
    return json.dumps(available())


def end(model: Model) -> None:
    """Give all memory back now, not when Python gets to it."""
    model.dispose()
    gc.collect()
