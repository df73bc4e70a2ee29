"""A trained model: what it takes, what it gives, and predict."""

from __future__ import annotations

import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from webkeras.backends import Backend, Executable
from webkeras.errors import ShapeError, WebKerasError
from webkeras.kept import Kept, numbers
from webkeras.layers.base import custom_objects as meanings
from webkeras.lazy import np
from webkeras.shapes import Shape, size
from webkeras.spec import Spec, flat, replace
from webkeras.trace import (
    Network,
    encoded,
    input_dtypes,
    input_shapes,
    one_sample,
    output_names,
    readings,
    resolved,
    stateful_batch,
    text_only,
)
from webkeras.version import Version
from webkeras.weights import Found


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: its layer's name, its shape (None where open), its dtype as the file has it."""

    name: str
    shape: tuple[int | None, ...] | None
    dtype: str = "float32"


@dataclass(frozen=True)
class LayerInfo:
    """A layer: the shape of its output (None where open), the layers it reads, the layers that read it."""

    name: str
    class_name: str
    shape: tuple[int | None, ...] | None
    inbound: tuple[str, ...]
    outbound: tuple[str, ...]


@dataclass(frozen=True)
class Timing:
    """Milliseconds that a step of one prediction took; `layer` is the Keras layer it belongs to."""

    layer: str
    op: str
    ms: float


class Profile(list[Timing]):
    """The steps of one prediction, in order. Prints itself as a table, a line a layer."""

    def __str__(self) -> str:
        layers: dict[str, float] = {}
        for t in self:
            layers[t.layer] = layers.get(t.layer, 0.0) + t.ms
        total = sum(layers.values()) or 1.0
        lines = [f"{name:<32}{ms:>10.3f} ms{100 * ms / total:>7.1f} %" for name, ms in layers.items()]
        return "\n".join([*lines, f"{'':<32}{total:>10.3f} ms"])


KEPT = 8  # graphs a model keeps ready


@dataclass
class Prepared:
    """A graph for one set of input shapes, ready to run."""

    graph: Any
    executable: Executable
    shapes: dict[str, Shape]  # of the outputs


class Model:
    """A model bound to a backend. Graphs are made and kept per set of input shapes."""

    def __init__(
        self,
        spec: Spec,
        weights: Found,
        backend: Backend,
        theano_kernels: bool | None = None,
        custom: Mapping[str, Any] | None = None,
    ) -> None:
        """Raises ConfigError or WeightsError where spec and weights do not fit."""
        self.spec, self.backend = spec, backend
        theano = spec.backend == "theano" if theano_kernels is None else theano_kernels
        version = Version(spec.keras_version or spec.dialect, theano)
        with meanings(custom or {}):
            self.network = Network(spec, weights, version)
        self.network.readings = readings(self.network)
        self.texts = text_only(self.network, self.network.readings)
        self.stats: dict[str, float] = {}
        self._prepared: dict[tuple[Any, ...], Prepared] = {}
        self._states: dict[str, tuple[Shape, Any]] = {}  # flat buffers, as the backend gave them
        self._disposed = False

    @property
    def inputs(self) -> list[TensorInfo]:
        """The inputs, in the model's order."""
        dtypes = input_dtypes(self.spec)
        return [
            TensorInfo(name, shape, "string" if name in self.texts else dtypes[name])
            for name, shape in input_shapes(self.spec).items()
        ]

    @property
    def outputs(self) -> list[TensorInfo]:
        """The outputs, in the model's order; shapes are known where the inputs' are."""
        known = {k: v.shape for k, v in self._one.outputs.items()} if self._one else {}
        return [TensorInfo(name, _open(known.get(name))) for name in output_names(self.spec)]

    @property
    def layers(self) -> list[LayerInfo]:
        """Every layer, in the file's order; shapes are known where the inputs' are."""
        known = self._one.layers if self._one else {}
        reads = {s.name: tuple(dict.fromkeys(r.layer for c in s.calls for r in c.refs())) for s in self.spec.layers}
        readers = {name: tuple(k for k, inbound in reads.items() if name in inbound) for name in reads}
        return [
            LayerInfo(s.name, s.class_name, _open(known.get(s.name)), reads[s.name], readers[s.name])
            for s in self.spec.layers
        ]

    @cached_property
    def _one(self) -> Any:
        """The graph for one sample; None where an input has an open dimension."""
        shapes = None if self.network.readings else one_sample(self.spec)
        ready = self._prepared.get(self._key(shapes)) if shapes else None
        return ready.graph if ready else self.network.trace(shapes) if shapes else None

    def predict(self, x: Any, batch_size: int | None = None, layers: Sequence[str] = (), keep: bool = False) -> Any:
        """The outputs for x: arrays in, arrays out.

        x is an array, or a list or dict (by input name) of several; a single output comes as an array, several as the
        model nests them in lists and dicts. Every array carries the batch axis. A stateful model takes samples in
        batches of the size its file names, unless told otherwise, and carries its states from call to call.
        Text, for a model that begins with StringLookup or TextVectorization, comes in lists or an array of strings.
        With `layers`, a dict comes back: the outputs by name, and what the first call of each of those layers gave.
        With `keep`, all samples are taken at once and outputs stay on the GPU (`Kept`), to be another model's inputs;
        where no GPU is at work, they are arrays as ever.
        Raises ShapeError, naming the input, or ConfigError for a layer the model does not have.
        """
        arrays: dict[str, Any] = {
            k: a if isinstance(a, Kept) else np.ascontiguousarray(a, "float32") for k, a in self.named(x).items()
        }
        count = {len(a) for a in arrays.values()}
        if len(count) > 1:
            raise ShapeError(f"the inputs hold {' and '.join(map(str, sorted(count)))} samples; expected equally many")
        n = count.pop()
        step = n or 1 if keep else batch_size or stateful_batch(self.spec) or n or 1
        if step < n:
            arrays = {k: np.asarray(a) for k, a in arrays.items()}
        parts = [
            self._predict({k: a[i : i + step] if step < n else a for k, a in arrays.items()}, layers, keep)
            for i in range(0, max(n, 1), step)
        ]
        y = parts[0] if len(parts) == 1 else {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
        return y if layers else self._unnamed(y)

    async def predict_async(self, x: Any, layers: Sequence[str] = ()) -> Any:
        """`predict`, without blocking the page while the backend works."""
        arrays = {k: np.ascontiguousarray(a, "float32") for k, a in self.named(x).items()}
        ready = await self.prepare_async({k: a.shape for k, a in arrays.items()}, layers)
        flat = await self.run_async(ready, {k: a.ravel() for k, a in arrays.items()})
        y = {k: numbers(y).reshape(ready.shapes[k]) for k, y in flat.items()}
        return y if layers else self._unnamed(y)

    def _predict(self, arrays: Mapping[str, Any], layers: Sequence[str], keep: bool) -> dict[str, Any]:
        ready = self.prepare({k: a.shape for k, a in arrays.items()}, layers)
        on: Any = ready.executable
        start = time.perf_counter()
        flat = {k: a.feed(on) if isinstance(a, Kept) else a.ravel() for k, a in arrays.items()}
        if keep and hasattr(on, "leave") and not ready.graph.states:
            on.leave(flat)
            return {k: Kept(k, shape, on, on.turn) for k, shape in ready.shapes.items()}
        flat = on.run(self._feeds(ready, flat))
        self._took(start)
        return {k: numbers(y).reshape(ready.shapes[k]) for k, y in self._given(ready, flat).items()}

    async def run_async(self, ready: Prepared, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Flat inputs to flat outputs, by name; what stateful layers remember is fed and kept."""
        start = time.perf_counter()
        flat = await ready.executable.run_async(self._feeds(ready, inputs))
        self._took(start)
        return self._given(ready, flat)

    def _took(self, start: float) -> None:
        """Note what a prediction took, and what the choice of a backend knows by now."""
        self.stats["predict"] = (time.perf_counter() - start) * 1000
        self.stats |= {f"measured {name}": ms for name, ms in getattr(self.backend, "measured", {}).items()}

    def _feeds(self, ready: Prepared, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What a run takes: the inputs, and the states as the last run left them, zeros at first."""
        feeds = dict(inputs)
        for name in ready.graph.states:
            shape = ready.shapes[name]
            if name not in self._states:
                self._states[name] = shape, array("f", bytes(4 * size(shape)))
            if self._states[name][0] != shape:
                raise ShapeError(
                    f"model {self.spec.name!r}: {name!r} was kept for {self._states[name][0][0]} samples, "
                    f"the input has {shape[0]}; call reset_states() first"
                )
            feeds[name] = self._states[name][1]
        return feeds

    def _given(self, ready: Prepared, flat: Mapping[str, Any]) -> dict[str, Any]:
        """What a run gave, without the states: those are kept."""
        self._states.update({k: (ready.shapes[k], flat[k]) for k in ready.graph.states})
        return {k: y for k, y in flat.items() if k not in ready.graph.states}

    def reset_states(self) -> None:
        """Forget what stateful layers remember: the next predict begins with zeros."""
        self._states.clear()

    def profile(self, x: Any) -> Profile:
        """Where the time of one prediction goes. The backend that cannot tell its steps apart gives one for all."""
        arrays = {k: np.ascontiguousarray(a, "float32") for k, a in self.named(x).items()}
        ready = self.prepare({k: a.shape for k, a in arrays.items()})
        return self.profiled(ready, {k: a.ravel() for k, a in arrays.items()})

    def profiled(self, ready: Prepared, flat: Mapping[str, Any]) -> Profile:
        """The steps of one run with flat inputs."""
        steps = getattr(ready.executable, "profile", None)
        if steps is not None:
            return Profile(Timing(*step) for step in steps(self._feeds(ready, flat)))
        start = time.perf_counter()
        ready.executable.run(self._feeds(ready, flat))
        return self._whole(start)

    def _whole(self, start: float) -> Profile:
        return Profile([Timing(self.spec.name, self.backend.name, (time.perf_counter() - start) * 1000)])

    async def profiled_async(self, ready: Prepared, flat: Mapping[str, Any]) -> Profile:
        """`profiled`, where custom functions of the page are to be waited for as well."""
        steps = getattr(ready.executable, "profile_async", None)
        if steps is not None:
            return Profile(Timing(*step) for step in await steps(self._feeds(ready, flat)))
        if hasattr(ready.executable, "profile"):
            return self.profiled(ready, flat)
        start = time.perf_counter()
        await ready.executable.run_async(self._feeds(ready, flat))
        return self._whole(start)

    def prepare(self, shapes: Mapping[str, Shape], layers: Sequence[str] = ()) -> Prepared:
        """Make everything ready for inputs of these shapes (batch axis included); a second call costs nothing."""
        key = self._key(shapes, layers)
        if key not in self._prepared:
            graph = self._traced(shapes, layers)
            start = time.perf_counter()
            self._keep(key, graph, self.backend.prepare(graph), start)
        return self._prepared[key]

    async def prepare_async(self, shapes: Mapping[str, Shape], layers: Sequence[str] = ()) -> Prepared:
        """`prepare`, without blocking the page while programs compile."""
        key = self._key(shapes, layers)
        if key not in self._prepared:
            graph = self._traced(shapes, layers)
            start = time.perf_counter()
            self._keep(key, graph, await self.backend.prepare_async(graph), start)
        return self._prepared[key]

    def _key(self, shapes: Mapping[str, Shape], layers: Sequence[str] = ()) -> tuple[Any, ...]:
        if self._disposed:
            raise WebKerasError(f"model {self.spec.name!r} was disposed; load it again")
        return (*(tuple(shapes[k]) for k in sorted(shapes)), *sorted(set(layers)))

    def _traced(self, shapes: Mapping[str, Shape], layers: Sequence[str]) -> Any:
        start = time.perf_counter()
        graph = self.network.trace(resolved(self.spec, shapes, self.texts), layers)
        self.stats["trace"] = (time.perf_counter() - start) * 1000
        return graph

    def _keep(self, key: tuple[Any, ...], graph: Any, executable: Executable, start: float) -> None:
        """Keep what was prepared; of many shapes only the last few, so that memory stays bounded."""
        self.stats["prepare"] = (time.perf_counter() - start) * 1000
        if len(self._prepared) >= KEPT:
            self._prepared.pop(next(iter(self._prepared))).executable.free()
        self._prepared[key] = Prepared(graph, executable, {k: v.shape for k, v in graph.outputs.items()})

    def named(self, x: Any) -> dict[str, Any]:
        """Inputs of the graph by name, from an array, a list or a dict: in the place of text, what its readers make."""
        names = [i.name for i in self.inputs]
        if isinstance(x, Mapping):
            given = dict(x)
            if isinstance(self.spec.takes, dict) and set(given) == set(self.spec.takes):
                takes = [(r, v, given[k]) for k, v in self.spec.takes.items() for r in flat(v)]
                given = {r.layer: a if r is v else a[flat(v).index(r)] for r, v, a in takes}
            if set(given) == {"input"} and names != ["input"]:
                given = {names[0]: given["input"]}
        else:
            several = isinstance(x, Sequence) and len(names) > 1
            given = dict(zip(names, x if several else [x], strict=False))
        if set(given) != set(names) or (isinstance(x, list) and len(names) > 1 and len(x) != len(names)):
            raise ShapeError(f"model {self.spec.name!r} got inputs {sorted(given)}; expected {sorted(names)}")
        numbers = {k: given[k] for k in names if k not in self.texts}
        return numbers | encoded(self.network.readings, given)

    def _unnamed(self, y: Mapping[str, Any]) -> Any:
        """Outputs as the file nests them: one, a list, or a dict."""
        arrays = {r: y[name] for r, name in zip(self.spec.outputs, output_names(self.spec), strict=True)}
        return replace(self.spec.gives, arrays.__getitem__)

    def summary(self) -> str:
        """Every layer with its class and what it reads."""
        return str(self.spec)

    def explain(self, shapes: Mapping[str, Shape] | None = None) -> str:
        """Spec, graph and plan as text, for the given input shapes or one sample."""
        if shapes is None and self.network.readings:
            names = ", ".join(repr(r.name) for r in self.network.readings)
            raise ShapeError(f"model {self.spec.name!r} reads text; give the shapes of what becomes of it: {names}")
        if shapes is None:
            shapes = {i.name: (1, *(d or 1 for d in (i.shape or ())[1:])) for i in self.inputs}  # open ones are 1
        ready = self.prepare(shapes)
        return f"{self.spec}\n\ngraph\n{ready.graph}\n\nplan ({self.backend.name})\n{ready.executable}"

    def dispose(self) -> None:
        """Give all memory back; the model cannot predict afterwards."""
        for ready in self._prepared.values():
            ready.executable.free()
        self._prepared.clear()
        self._disposed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.dispose()


def _open(shape: Shape | None) -> tuple[int | None, ...] | None:
    """A shape with its batch axis open."""
    return None if shape is None else (None, *shape[1:])
