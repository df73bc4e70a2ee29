"""A trained model: what it takes, what it gives, and predict."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from webkeras import files
from webkeras.backends import Backend, Executable, choose
from webkeras.buffer import HostBuffer
from webkeras.errors import ConfigError, ShapeError, WebKerasError, WeightsError
from webkeras.lazy import np
from webkeras.shapes import Shape, size
from webkeras.spec import Spec, flat, replace
from webkeras.trace import Network, input_shapes, output_names, resolved, stateful_batch
from webkeras.version import Version
from webkeras.weights import Stored, Weights


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: its layer's name, its shape (None where open), its dtype."""

    name: str
    shape: tuple[int | None, ...] | None
    dtype: str = "float32"


@dataclass
class Prepared:
    """A graph for one set of input shapes, ready to run."""

    graph: Any
    executable: Executable
    shapes: dict[str, Shape]  # of the outputs


class Model:
    """A model bound to a backend. Graphs are made and kept per set of input shapes."""

    def __init__(
        self, spec: Spec, weights: Weights | Stored, backend: Backend, theano_kernels: bool | None = None
    ) -> None:
        """Raises ConfigError or WeightsError where spec and weights do not fit."""
        self.spec, self.backend = spec, backend
        version = Version(spec.keras_version or spec.dialect, bool(theano_kernels))
        self.network = Network(spec, weights, version)
        self.stats: dict[str, float] = {}
        self._prepared: dict[tuple[Shape, ...], Prepared] = {}
        self._states: dict[str, tuple[Shape, Any]] = {}  # flat buffers, as the backend gave them
        self._disposed = False

    @property
    def inputs(self) -> list[TensorInfo]:
        """The inputs, in the model's order."""
        return [TensorInfo(name, shape) for name, shape in input_shapes(self.spec).items()]

    @property
    def outputs(self) -> list[TensorInfo]:
        """The outputs, in the model's order; shapes are known where the inputs' are."""
        shapes: dict[str, tuple[int | None, ...]] = {}
        known = input_shapes(self.spec)
        if all(s is not None and None not in s[1:] for s in known.values()):
            graph = self.network.trace({k: (1, *(d or 1 for d in (s or ())[1:])) for k, s in known.items()})
            shapes = {k: (None, *v.shape[1:]) for k, v in graph.outputs.items()}
        return [TensorInfo(name, shapes.get(name)) for name in output_names(self.spec)]

    def predict(self, x: Any, batch_size: int | None = None) -> Any:
        """The outputs for x: arrays in, arrays out.

        x is an array, or a list or dict (by input name) of several; a single output comes as an array, several as the
        model nests them in lists and dicts. Every array carries the batch axis. A stateful model takes samples in
        batches of the size its file names, unless told otherwise, and carries its states from call to call.
        Raises ShapeError, naming the input.
        """
        arrays = {k: np.ascontiguousarray(a, "float32") for k, a in self._named(x).items()}
        count = {len(a) for a in arrays.values()}
        if len(count) > 1:
            raise ShapeError(f"the inputs hold {' and '.join(map(str, sorted(count)))} samples; expected equally many")
        n = count.pop()
        batch_size = batch_size or stateful_batch(self.spec)
        if batch_size is None or batch_size >= n:
            return self._unnamed(self._predict(arrays))
        parts = [self._predict({k: a[i : i + batch_size] for k, a in arrays.items()}) for i in range(0, n, batch_size)]
        return self._unnamed({k: np.concatenate([p[k] for p in parts]) for k in parts[0]})

    async def predict_async(self, x: Any) -> Any:
        """`predict`, without blocking the page while the backend works."""
        arrays = {k: np.ascontiguousarray(a, "float32") for k, a in self._named(x).items()}
        ready = await self.prepare_async({k: a.shape for k, a in arrays.items()})
        flat = await ready.executable.run_async(self._feeds(ready, arrays))
        return self._unnamed(self._given(ready, flat))

    def _predict(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        ready = self.prepare({k: a.shape for k, a in arrays.items()})
        start = time.perf_counter()
        flat = ready.executable.run(self._feeds(ready, arrays))
        self.stats["predict"] = (time.perf_counter() - start) * 1000
        return self._given(ready, flat)

    def _feeds(self, ready: Prepared, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """What a run takes: the inputs, and the states as the last run left them, zeros at first."""
        feeds = {k: a.ravel() for k, a in arrays.items()}
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
        """What a run gave as arrays; the states are kept."""
        self._states.update({k: (ready.shapes[k], flat[k]) for k in ready.graph.states})
        return {k: _array(y).reshape(ready.shapes[k]) for k, y in flat.items() if k not in ready.graph.states}

    def reset_states(self) -> None:
        """Forget what stateful layers remember: the next predict begins with zeros."""
        self._states.clear()

    def prepare(self, shapes: Mapping[str, Shape]) -> Prepared:
        """Make everything ready for inputs of these shapes (batch axis included); a second call costs nothing."""
        ready = self._prepared.get(self._key(shapes))
        if ready is None:
            ready = self._done(shapes, lambda graph: self.backend.prepare(graph))
        return ready

    async def prepare_async(self, shapes: Mapping[str, Shape]) -> Prepared:
        """`prepare`, without blocking the page while programs compile."""
        ready = self._prepared.get(self._key(shapes))
        if ready is None:
            graph = self._traced(shapes)
            executable = await self.backend.prepare_async(graph)
            ready = self._done(shapes, lambda _: executable, graph)
        return ready

    def _key(self, shapes: Mapping[str, Shape]) -> tuple[Shape, ...]:
        if self._disposed:
            raise WebKerasError(f"model {self.spec.name!r} was disposed; load it again")
        return tuple(shapes[k] for k in sorted(shapes))

    def _traced(self, shapes: Mapping[str, Shape]) -> Any:
        start = time.perf_counter()
        graph = self.network.trace(resolved(self.spec, shapes))
        self.stats["trace"] = (time.perf_counter() - start) * 1000
        return graph

    def _done(self, shapes: Mapping[str, Shape], prepare: Callable[[Any], Executable], graph: Any = None) -> Prepared:
        graph = graph or self._traced(shapes)
        start = time.perf_counter()
        ready = Prepared(graph, prepare(graph), {k: v.shape for k, v in graph.outputs.items()})
        self.stats["prepare"] = (time.perf_counter() - start) * 1000
        self._prepared[self._key(shapes)] = ready
        return ready

    def _named(self, x: Any) -> dict[str, Any]:
        """Inputs by name, from an array, a list or a dict."""
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
        return {k: given[k] for k in names}

    def _unnamed(self, y: Mapping[str, Any]) -> Any:
        """Outputs as the file nests them: one, a list, or a dict."""
        arrays = {r: y[name] for r, name in zip(self.spec.outputs, output_names(self.spec), strict=True)}
        return replace(self.spec.gives, arrays.__getitem__)

    def summary(self) -> str:
        """Every layer with its class and what it reads."""
        return str(self.spec)

    def explain(self, shapes: Mapping[str, Shape] | None = None) -> str:
        """Spec, graph and plan as text, for the given input shapes or one sample."""
        if shapes is None:
            shapes = {i.name: (1, *(d or 1 for d in (i.shape or ())[1:])) for i in self.inputs}
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


def _array(y: Any) -> Any:
    """A backend's flat output as a numpy array of our own."""
    return np.frombuffer(y.to_bytes(), "float32") if hasattr(y, "to_bytes") else np.asarray(y, "float32")


def load_model(
    source: str | Path | bytes,
    *,
    weights: str | Path | bytes | None = None,
    metadata: str | Path | bytes | None = None,
    backend: str = "auto",
    keras_version: str | None = None,
    theano_kernels: bool | None = None,
) -> Model:
    """A model from what Keras saved (`.keras`, `.h5`), or from its JSON and weights: the encoder's with their metadata,
    `.weights.h5`, or those of a whole model's file. Each is a path, or the file's bytes.

    `keras_version` says which Keras wrote a file that does not say so itself. `theano_kernels` says that it was trained
    on Theano, which turned convolution kernels around: files of Keras 1 do not tell.
    Raises ConfigError, WeightsError or NoBackend; nothing is half loaded.
    """
    if metadata is not None and weights is None:
        raise ConfigError("load_model: metadata come with weights; give both or neither")
    spec, found = files.open_model(
        _file(source, "model"),
        None if weights is None else _file(weights, "weights"),
        None if metadata is None else _file(metadata, "metadata"),
        keras_version,
    )
    return Model(spec, found, choose(backend), theano_kernels)


def _file(source: str | Path | bytes, what: str) -> files.File:
    if isinstance(source, bytes):
        return files.File(HostBuffer(source), what)
    try:
        return files.File(HostBuffer(Path(source).read_bytes()), Path(source).name)
    except OSError as e:
        raise (ConfigError if what == "model" else WeightsError)(f"{source}: cannot be read ({e.strerror})") from None


def check_sizes(shapes: Mapping[str, Shape], lengths: Mapping[str, int]) -> None:
    """ShapeError where a flat input does not hold what its shape says."""
    for name, shape in shapes.items():
        if size(shape) != lengths[name]:
            raise ShapeError(f"input {name!r} holds {lengths[name]} numbers; its shape {shape} takes {size(shape)}")
