"""Spec and weights to Graph: every layer is made once, and records its ops for the input shapes at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webkeras import layers
from webkeras.errors import ConfigError, ShapeError, WebKerasError, WeightsError
from webkeras.graph import Graph, Value, remembering
from webkeras.layers import LAYERS, Layer
from webkeras.layers.lookup import Front
from webkeras.matching import match
from webkeras.shapes import Shape
from webkeras.spec import Call, LayerSpec, Ref, Spec, flat, refs, replace
from webkeras.text import short
from webkeras.version import Version
from webkeras.weights import Found, Tensor, Weights


class Tensors(dict[Ref, Any]):
    """Tensors by reference; one that is not there is the file's fault."""

    def __missing__(self, r: Ref) -> Any:
        raise ConfigError(f"output {r.tensor} of call {r.call} of layer {r.layer!r} is read, which it does not give")


class Network:
    """A Spec with its layers made and their weights at hand; a nested model is a Network too."""

    def __init__(self, spec: Spec, weights: Found, version: Version | None = None) -> None:
        """Raises ConfigError for a layer or key nobody knows, WeightsError for weights that belong to no layer."""
        self.spec = spec
        version = version or Version(spec.keras_version or spec.dialect)
        matched = match(spec, weights, may_have_weights)
        self.layers = {s.name: make(s, version, matched[s.name]) for s in spec.layers}
        self.readings: list[Reading] = []  # of the outermost model

    def trace(self, shapes: Mapping[str, Shape], layers: Sequence[str] = ()) -> Graph:
        """The graph for inputs of these shapes (batch axis included), by input layer name; states come after.

        An input that is text has no shape: what its readers make of it has, by the names of `readings`.

        `layers` name layers whose outputs (of their first call) are wanted besides the model's.
        Raises ConfigError where the model has no such layer.
        """
        inputs = {k: Value(tuple(s), name=k) for k, s in shapes.items()}
        for r in self.readings:
            r.front.given[r.call] = inputs[r.name]
        names = output_names(self.spec)
        with remembering({*inputs, *names, *layers}) as memory:
            done = self.tensors([inputs.get(r.layer) for r in self.spec.inputs])
        named = dict(zip(names, (done[r] for r in self.spec.outputs), strict=True))
        for layer in layers:
            if Ref(layer) not in done:
                known = ", ".join(map(repr, self.layers))
                raise ConfigError(f"model {self.spec.name!r} has no layer {layer!r}; it has {known}")
            named.setdefault(layer, done[Ref(layer)])
        seen = {r.layer: v.shape for r, v in done.items() if r == Ref(r.layer) and v is not None}
        return Graph({**inputs, **memory.before}, {**named, **memory.now}, tuple(memory.now), seen)

    def apply(self, xs: list[Any]) -> list[Any]:
        """The model's outputs for these inputs, arrays or Values."""
        done = self.tensors(xs)
        return [done[r] for r in self.spec.outputs]

    def tensors(self, xs: list[Any]) -> dict[Ref, Any]:
        """Every tensor of the model for these inputs, arrays or Values."""
        done = Tensors(zip(self.spec.inputs, xs, strict=True))
        for name, i, call in ordered(self.spec):
            if Ref(name, i) in done:
                continue
            here = self.layers[name]
            if isinstance(here, Front) and i in here.given:
                done[Ref(name, i)] = here.given[i]
                continue
            y = self.called(name, *(replace(part, done.__getitem__) for part in (call.args, call.kwargs)))
            for t, v in enumerate(flat(y)):
                done[Ref(name, i, t)] = v
        return done

    def called(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """What a layer makes of its inputs; ConfigError where a file calls it as it cannot be called."""
        try:
            return self.layers[name](*args, **kwargs)
        except WebKerasError:
            raise
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as e:
            what = " ".join(f"{type(e).__name__}: {e}".split())[:200]
            raise ConfigError(f"{self.layers[name]}: does not compute from what it is called with ({what})") from e

    def __call__(self, *xs: Any, **kwargs: Any) -> Any:
        """As a layer of an outer model: inputs as the model takes them, one output or all in order."""
        if set(kwargs) - {"training", "mask"}:
            raise ConfigError(f"model {self.spec.name!r} is called with {sorted(kwargs)}; expected inputs only")
        ys = self.apply(self.arranged(xs[0] if len(xs) == 1 else list(xs)))
        return ys[0] if len(ys) == 1 else ys

    def arranged(self, x: Any) -> list[Any]:
        """Inputs in the model's order: a dict goes by the names that the model gives them, or its layers'."""
        if isinstance(x, dict) and not isinstance(self.spec.takes, dict):
            names = [r.layer for r in self.spec.inputs]
            x = [x[n] for n in names] if set(x) == set(names) else x
        xs = flat(x)
        keys = set(self.spec.takes) if isinstance(self.spec.takes, dict) else set()
        if len(xs) != len(self.spec.inputs) or (isinstance(x, dict) and set(x) != keys):
            raise ShapeError(
                f"model {self.spec.name!r} is called with {len(xs)} inputs; it takes {len(self.spec.inputs)}"
            )
        return xs


def may_have_weights(spec: LayerSpec) -> bool:
    """Whether a layer of this class can have weights; an unknown class may."""
    cls = LAYERS.get(spec.class_name)
    return cls is None or cls.build is not Layer.build or cls.bind is not Layer.bind


def make(spec: LayerSpec, dialect: Version, weights: list[Tensor] | Weights) -> Any:
    """The layer, or the nested Network, of one LayerSpec; a wrapped model is made for its wrapper."""
    if spec.model is not None and isinstance(weights, dict):
        network = Network(spec.model, weights, dialect)
        wraps = "layer" in spec.config
        config = {**spec.config, "name": spec.name, "layer": network}
        return layers.make(spec.class_name, config, dialect) if wraps else network
    values = [Value(t.shape, constant=t, name=f"{spec.name}/{t.name}") for t in weights if isinstance(t, Tensor)]
    if values and not may_have_weights(spec):
        count = f"the file has {len(values)} weights, the layer takes 0"
        raise WeightsError(f"{spec.class_name} {spec.name!r}: {count}; is the file that of another model?")
    return layers.make(spec.class_name, {**spec.config, "name": spec.name}, dialect, values)


@dataclass(frozen=True)
class Reading:
    """A call of a layer that reads text or hashes: an input of the graph, `name`, is what it makes of `sources`."""

    name: str
    front: Front
    call: int
    sources: tuple[str, ...]


def readings(network: Network) -> list[Reading]:
    """All calls, in nested models too, of layers that read text where it comes from inputs of the outermost model.

    From now on these layers take their numbers from an input of the graph.
    """
    found: list[Reading] = []
    taken = set(network.layers)

    def walk(here: Network, sources: dict[Ref, str]) -> None:
        for name, i, call in ordered(here.spec):
            layer, xs = here.layers[name], flat(call.args)
            origins = tuple(sources.get(r, "") if isinstance(r, Ref) else "" for r in xs)
            if isinstance(layer, Network) and len(xs) == len(layer.spec.inputs):
                walk(layer, {r: k for r, k in zip(layer.spec.inputs, origins, strict=True) if k})
            elif isinstance(layer, Front) and all(origins):
                if i in layer.given:
                    raise ConfigError(f"{layer}: stands in a model that is called twice; expected one for each call")
                label = name if here is network and not i else f"{here.spec.name}/{name}/{i}"
                while label in taken and not (here is network and not i):
                    label += "'"
                taken.add(label)
                layer.given[i] = Value(())
                found.append(Reading(label, layer, i, origins))

    walk(network, {r: r.layer for r in network.spec.inputs})
    return found


def encoded(found: Sequence[Reading], given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of the graph that readings make of the model's inputs, arrays or nested lists."""
    lists = {k: given[k].tolist() if hasattr(given[k], "tolist") else given[k] for r in found for k in r.sources}
    return {r.name: r.front.encode(*(lists[k] for k in r.sources)) for r in found}


def text_only(network: Network, found: Sequence[Reading]) -> set[str]:
    """The inputs that nothing but layers of `found` reads: there is no such input in the graph."""
    counts = Counter(k for r in found for k in r.sources)

    def reads(here: Network, input_: Ref) -> int:
        """How often other layers than models read an input."""
        total = here.spec.outputs.count(input_)
        for s in here.spec.layers:
            for c in s.calls:
                for at, r in enumerate(flat(c.args)):
                    inner = here.layers[s.name]
                    if r == input_:
                        nested = isinstance(inner, Network) and len(flat(c.args)) == len(inner.spec.inputs)
                        total += reads(inner, inner.spec.inputs[at]) if nested else 1
                total += list(refs(c.kwargs)).count(input_)
        return total

    return {k for k, n in counts.items() if reads(network, Ref(k)) == n}


def ordered(spec: Spec) -> list[tuple[str, int, Call]]:
    """All calls, each after those it reads; ConfigError where the graph has a cycle or reads what is not there."""
    calls = {Ref(s.name, i): (s.name, i, c) for s in spec.layers for i, c in enumerate(s.calls)}
    waiting = {k: {Ref(r.layer, r.call) for r in c.refs()} for k, (_, _, c) in calls.items()}
    for k, needs in waiting.items():
        if missing := needs - set(calls):
            lost = min(missing, key=str)
            raise ConfigError(f"layer {k.layer!r} reads call {lost.call} of {lost.layer!r}, which is not in the model")
    users: dict[Ref, list[Ref]] = {}
    for k, needs in waiting.items():
        for n in needs:
            users.setdefault(n, []).append(k)
    ready, order = [k for k, needs in waiting.items() if not needs], []
    for k in ready:
        order.append(calls[k])
        for u in users.get(k, []):
            waiting[u].discard(k)
            if not waiting[u]:
                ready.append(u)
    if len(order) != len(calls):
        raise ConfigError(f"layer {next(k.layer for k, n in waiting.items() if n)!r} depends on its own output")
    return order


def output_names(spec: Spec) -> list[str]:
    """A name for every output: its layer's, numbered where a layer gives several."""
    names: list[str] = []
    for r in spec.outputs:
        name, n = r.layer, 1
        while name in names:
            name, n = f"{r.layer}_{n}", n + 1
        names.append(name)
    return names


def input_shapes(spec: Spec) -> dict[str, tuple[int | None, ...] | None]:
    """What the file says of each input's shape, None where a dimension (or all of it) is open."""
    by_name = {s.name: s.config for s in spec.layers}
    out: dict[str, tuple[int | None, ...] | None] = {}
    for r in spec.inputs:
        config = by_name[r.layer]
        shape = config.get("batch_input_shape") or config.get("batch_shape")
        fits = isinstance(shape, list | tuple) and all(d is None or (type(d) is int and d >= 0) for d in shape)
        if shape is not None and not fits:
            raise ConfigError(f"input {r.layer!r} has the shape {short(shape)} in the file; expected numbers or null")
        out[r.layer] = None if shape is None else (None, *shape[1:])
    return out


def input_dtypes(spec: Spec) -> dict[str, str]:
    """What the file says of each input's dtype. All numbers are taken as float32, whatever it is."""
    said = {s.name: s.config.get("dtype") for s in spec.layers}
    return {r.layer: d if isinstance(d := said[r.layer], str) else "float32" for r in spec.inputs}


def stateful_batch(spec: Spec) -> int | None:
    """The batch size a file names for a model that keeps states; None for any other."""

    def keeps(config: Any) -> bool:
        return isinstance(config, Mapping) and (bool(config.get("stateful")) or any(map(keeps, config.values())))

    def inside(model: Spec) -> bool:
        return any(keeps(s.config) or (s.model is not None and inside(s.model)) for s in model.layers)

    first = next(s.config for s in spec.layers if s.name == spec.inputs[0].layer)
    shape = first.get("batch_input_shape") or first.get("batch_shape") or [None]
    return shape[0] if inside(spec) else None


def one_sample(spec: Spec) -> dict[str, Shape] | None:
    """The input shapes of one sample; None where the file leaves one open."""
    out: dict[str, Shape] = {}
    for name, shape in input_shapes(spec).items():
        known = [d for d in (shape or ())[1:] if d is not None]
        if shape is None or len(known) < len(shape) - 1:
            return None
        out[name] = (1, *known)
    return out


def resolved(spec: Spec, given: Mapping[str, Shape], texts: Collection[str] = ()) -> dict[str, Shape]:
    """The given shapes, each checked against the file, unless it is what text became; ShapeError names the input."""
    for name, want in input_shapes(spec).items():
        if name in texts:
            continue
        got = given[name]
        if want is not None and (
            len(want) != len(got) or any(w not in (None, g) for w, g in zip(want, got, strict=True))
        ):
            shown = "(" + ", ".join("any" if w is None else str(w) for w in want) + ")"
            raise ShapeError(f"input {name!r} has the shape {tuple(got)}; the model takes {shown}")
    return dict(given)
