"""Which weight belongs to which layer: the one place that knows how Keras 1, 2 and 3 lay weights out.

A layer gets a flat list in the order of Keras' `get_weights`, a nested model a mapping by its own layers. Within a
layer weights go by order, never by name: names of real files need not match anything. Between layers:

- Old files (`.h5`, `.buf`) name the layers of the outer model. A nested model is one of them, all its weights in one
  list, the trainable ones first; they go by name where every name says so, else by the order of first appearance.
  Keras 1 lists the layers of nested Sequentials as if they stood in the outer model.
- New files (`.keras`, `.weights.h5`) are trees. A layer's key is its class in snake case, numbered within its model;
  operations are not counted. What a layer has inside hangs below by attribute.
- TF.js lists all weights of a model as if it were nested in another.
- An object in several places is written once.

Source: keras 2 engine/saving.py, hdf5_format.py; keras 3 legacy_h5_format.py, saving_lib.py
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from webkeras.errors import WeightsError
from webkeras.spec import LayerSpec, Spec, snake
from webkeras.weights import Found, Stored, Tensor, Weights

HasWeights = Callable[[LayerSpec], bool]

# Attributes in the order in which Keras lists their weights; a leading underscore (tf_keras) does not count.
ORDER = {
    "query_dense": 0,
    "key_dense": 1,
    "value_dense": 2,
    "output_dense": 3,
    "forward_layer": 0,
    "backward_layer": 1,
}
RANDOM = re.compile(r"_*(seed|random)_generator(_\d+)?")  # the state of a random number generator is no weight
CONTAINERS = ("layers", "_layer_checkpoint_dependencies")


def match(spec: Spec, found: Found, has_weights: HasWeights) -> Weights:
    """The weights of every layer of a model; nested models as mappings. A match may be matched again.

    `has_weights` says whether a layer of this class can have any.
    Raises WeightsError, naming the weight, where one belongs to no layer.
    """
    if isinstance(found, list):
        found = split(spec, found, has_weights)
    tree = stored(spec, found, ()) if isinstance(found, Stored) else listed(spec, found, has_weights)
    twins: dict[Any, list[Tensor]] = {}
    for s, _, tensors in walk(spec, tree):
        if tensors:
            twins.update(dict.fromkeys(identities(s), tensors))
    for s, holder, tensors in walk(spec, tree):
        if not tensors:
            holder[s.name] = next((twins[i] for i in identities(s) if i in twins), [])
    return tree


def walk(spec: Spec, tree: Weights) -> Iterator[tuple[LayerSpec, Weights, list[Tensor]]]:
    """Every layer that is no model, with the mapping that holds its weights, and these."""
    for s in spec.layers:
        inside = tree[s.name]
        if s.model is not None and isinstance(inside, dict):
            yield from walk(s.model, inside)
        elif isinstance(inside, list):
            yield s, tree, inside


def identities(s: LayerSpec) -> list[Any]:
    """What makes two layers of a file one object: the number that the file gives it, or its name and all its config.

    Keras numbers objects while it writes, so their first appearance may have no number yet.
    """
    same = (s.name, s.class_name, json.dumps(unnumbered(s.config), sort_keys=True, default=str))
    return [same] if s.shared is None else [s.shared, same]


def unnumbered(x: Any) -> Any:
    """A config without the numbers of shared objects."""
    if isinstance(x, list):
        return [unnumbered(v) for v in x]
    return {k: unnumbered(v) for k, v in x.items() if k != "shared_object_id"} if isinstance(x, dict) else x


def listed(spec: Spec, found: Weights, has_weights: HasWeights) -> Weights:
    """Weights by layer name, as old files have them."""
    out: Weights = {}
    used, own = set(), {s.name for s in spec.layers}
    for name in set(found) - own - set(names(spec)) if spec.dialect == 1 else ():  # a Sequential inside, nameless
        rest = found[name]
        found = {**{k: v for k, v in found.items() if k != name}, **split(spec, rest, has_weights)}  # type: ignore[arg-type]
    for s in spec.layers:
        here = found.get(s.name, [])
        used.add(s.name)
        if s.model is None:
            if isinstance(here, dict):
                raise WeightsError(f"layer {s.name!r} ({s.class_name}) is no model, but its weights are a model's")
            out[s.name] = here
            continue
        if not here:
            here = {n: found[n] for n in names(s.model) if n in found and n not in own}
            used |= set(here)
        elif isinstance(here, list):
            here = split(s.model, here, has_weights)
        out[s.name] = listed(s.model, here, has_weights)
    for name, rest in found.items():
        if name not in used and rest:
            what = f"weight {rest[0].name!r} belongs" if isinstance(rest, list) else "weights belong"
            raise WeightsError(f"weights: {what} to {name!r}, a layer the model {spec.name!r} does not have")
    return out


def every(spec: Spec) -> Iterator[LayerSpec]:
    """All layers, nested ones included."""
    for s in spec.layers:
        yield s
        if s.model is not None:
            yield from every(s.model)


def names(spec: Spec) -> Iterator[str]:
    """The names of all layers, nested ones included."""
    return (s.name for s in every(spec))


def split(spec: Spec, tensors: Sequence[Tensor], has_weights: HasWeights) -> Weights:
    """A nested model's list of weights by its layers.

    Raises WeightsError where neither names nor order tell them apart.
    """
    prefix = f"{spec.name}/"
    short = [t.name.removeprefix(prefix) for t in tensors]
    owners = [owner(spec, name) for name in short]
    if None not in owners:
        return _grouped(zip(owners, tensors, strict=True))
    groups = _grouped((name.split("/")[0], t) for name, t in zip(short, tensors, strict=True))
    wanted = [(child, s) for child, s in leaves(spec) if has_weights(s)]
    wanted.sort(key=lambda pair: pair[1].config.get("trainable") is False)  # stable: frozen layers come last
    if len(groups) != len(wanted):
        lost = next(t.name for t, o in zip(tensors, owners, strict=True) if o is None)
        raise WeightsError(
            f"model {spec.name!r}: weight {lost!r} belongs to none of its layers by name; "
            f"by order, {len(groups)} groups of weights do not fit {len(wanted)} layers"
        )
    mine = {id(t): child for (child, _), group in zip(wanted, groups.values(), strict=True) for t in group}
    return _grouped((mine[id(t)], t) for t in tensors)


def leaves(spec: Spec) -> Iterator[tuple[str, LayerSpec]]:
    """Every layer that is no model, those of models inside too, with the layer of this model that it is in."""
    for s in spec.layers:
        if s.model is None:
            yield s.name, s
        else:
            yield from ((s.name, leaf) for _, leaf in leaves(s.model))


def _grouped(pairs: Any) -> Weights:
    groups: dict[str, list[Tensor]] = {}
    for k, t in pairs:
        groups.setdefault(k, []).append(t)
    return dict(groups)


def owner(spec: Spec, name: str) -> str | None:
    """The layer that a weight's name names: the longest that fits, this model's own before those of models inside."""
    ways: list[Callable[[LayerSpec], list[str]]] = [
        lambda s: [s.name] if f"/{name}".find(f"/{s.name}/") >= 0 else [],
        lambda s: [n for n in (s.name, *wrapped(s.config)) if re.match(rf"{re.escape(n)}_[^/]*$", name)],
    ]
    for fitting in ways[::-1] if spec.dialect == 1 else ways:
        own = [(n, s.name) for s in spec.layers for n in fitting(s)]
        inside = [(n, s.name) for s in spec.layers if s.model is not None for t in every(s.model) for n in fitting(t)]
        if own or inside:
            return max(own or inside, key=lambda pair: len(pair[0]))[1]
    return None


def wrapped(config: Any) -> Iterator[str]:
    """What weights inside a wrapper of Keras 1 may begin with: the names of its layer, or of a model's layers."""
    rows = config.get("layer") or config.get("layers") if isinstance(config, dict) else config
    for row in rows if isinstance(rows, list) else [rows]:
        inner = row.get("config") if isinstance(row, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            yield from (inner["name"], f"forward_{inner['name']}", f"backward_{inner['name']}")
        if inner is not None:
            yield from wrapped(inner)


def stored(spec: Spec, here: Stored, path: tuple[str, ...]) -> Weights:
    """The weights of a model from a tree, as new files have them."""
    children = next((here.children[c].children for c in CONTAINERS if c in here.children), {})
    doubled = "layers" not in here.children  # an older form lists a layer that has weights twice
    keys, left = Counter[str](), dict(children)
    out: Weights = {}
    for s in spec.layers:
        place = Stored()
        if s.class_name != "Operation" and not (spec.class_name == "Sequential" and s.class_name == "InputLayer"):
            place = left.pop(_key(s, keys), place)
            if doubled and any(True for _ in _all(place)):
                _key(s, keys)
        if place.vocabulary is not None and s.config.get("vocabulary") is None:
            s.config = {**s.config, "vocabulary": place.vocabulary}
        if s.model is not None:
            inner = place.children.get("layer", place) if s.config else place
            out[s.name] = stored(s.model, inner, (*path, s.name))
        else:
            out[s.name] = _flat(s.config, place, (*path, s.name))
    for key, rest in left.items():
        for t in _all(rest):
            raise WeightsError(f"weights: {key}/{t.name} in model {spec.name!r} belongs to none of its layers")
    return out


def _key(s: LayerSpec, keys: Counter[str]) -> str:
    """The next key of a class within its container."""
    plain = PYTHON_NAMES.get(s.class_name, s.class_name)
    name = snake("Functional" if s.model is not None and not s.config and plain == "Model" else plain)
    keys[name] += 1
    return name if keys[name] == 1 else f"{name}_{keys[name] - 1}"


PYTHON_NAMES = {"GroupQueryAttention": "GroupedQueryAttention"}


def _flat(config: Mapping[str, Any], here: Stored, path: tuple[str, ...]) -> list[Tensor]:
    """An object's own weights, then those of the objects inside, in Keras' order; named by where they are."""
    out = [replace(t, layer=path[0], name="/".join((*path, t.name))) for t in here.tensors]
    inside = {k: v for k, v in here.children.items() if not RANDOM.fullmatch(k)}
    listed = Counter[str]()
    places = {_key(LayerSpec(name, "", {}), listed): i for i, name in enumerate(cells(config))}

    def place(key: str) -> Any:
        digits = re.fullmatch(r"(.*?)(?:_(\d+))?", key)
        assert digits is not None
        return ORDER.get(key.lstrip("_"), 9), places.get(key, 99), digits[1], int(digits[2] or 0)

    for key in sorted(inside, key=place):
        out += _flat(config, inside[key], (*path, key))
    return out


def cells(config: Mapping[str, Any]) -> list[str]:
    """The classes of the cells of an RNN, or of StackedRNNCells; what is none is left to the layer to refuse."""
    inner = config.get("cell")
    rows = config.get("cells") or (inner["config"] if isinstance(inner, dict) and "config" in inner else {})
    rows = rows.get("cells") if isinstance(rows, dict) else rows
    names = [c.get("class_name") for c in rows if isinstance(c, dict)] if isinstance(rows, list) else []
    return [name for name in names if isinstance(name, str)]


def _all(here: Stored) -> Iterator[Tensor]:
    """Every weight of an object and those inside it."""
    yield from here.tensors
    for key, child in here.children.items():
        if not RANDOM.fullmatch(key):
            yield from _all(child)
