"""Keras 1.0 to 1.2: Sequential is a bare list, Merge may stand first in it with whole models inside.

A Merge with models inside becomes the graph it means: the branches' layers stand beside it, as their weights do in
the file. A Sequential inside another has no name in the file; its layers stand in the outer chain, too.

Source: Keras 1.2.2, keras/models.py and keras/engine/topology.py, get_config and from_config
"""

from __future__ import annotations

import warnings
from typing import Any

from webkeras.dialects.reader import Reader, implied_input
from webkeras.errors import ConfigError
from webkeras.spec import Call, LayerSpec, Ref, Spec, replace

#: Classes whose dim_ordering Keras 1 does not save: it is that of the other layers.
SILENT = ("ZeroPadding", "Cropping", "UpSampling")
SIDES = ("top_pad", "bottom_pad", "left_pad", "right_pad")


def read(data: dict[str, Any], version: str) -> Spec:
    """A whole model's JSON -> Spec."""
    reader = Keras1(version)
    reader.ordering = orderings(data["config"])
    return reader.model(data["class_name"], data["config"])


def orderings(x: Any) -> set[str]:
    """Every dim_ordering that a layer of the file names."""
    if isinstance(x, dict):
        own = {x["dim_ordering"]} if x.get("dim_ordering") in ("tf", "th") else set()
        return own.union(*map(orderings, x.values()))
    return set[str]().union(*map(orderings, x)) if isinstance(x, list) else set()


class Keras1(Reader):
    """Keras 1's lists and calls."""

    dialect = 1
    ordering: set[str]

    def call(self, node: Any) -> Call:
        """One inbound node: tensors in order; one stands alone, several are a list."""
        tensors = [Ref(*row[:3]) for row in node]
        return Call(tensors if len(tensors) == 1 else [tensors])

    def functional(self, class_name: str, config: dict[str, Any]) -> Spec:
        """A graph. A layer that gives out its very input, as a linear activation does, stands for it in the file."""
        found = super().functional(class_name, config)
        layers = {s.name: s for s in found.layers}

        def entrance(r: Ref) -> Ref:
            for _ in layers:
                calls = layers[r.layer].calls
                before = list(calls[r.call].refs()) if r.call < len(calls) else []
                if layers[r.layer].class_name == "InputLayer" or len(before) != 1:
                    break
                r = before[0]
            if r.layer not in layers:
                raise ConfigError(f"model {found.name!r} reads {r.layer!r}, which is none of its layers")
            return r

        found.takes = replace(found.takes, entrance)
        return found

    def layer(self, row: dict[str, Any]) -> LayerSpec:
        """One layer; until 1.0 its class stood under "name" and its own name under "custom_name"."""
        if "class_name" not in row:
            row = {"class_name": row["name"], "config": {**row, "name": row.get("custom_name")}}
        found = super().layer(row)
        config = dict(found.config)
        if found.class_name.startswith(SILENT) and not found.class_name.endswith("1D") and "dim_ordering" not in config:
            config["dim_ordering"] = min(self.ordering) if len(self.ordering) == 1 else "tf"
            if len(self.ordering) != 1:
                told = f"{found.class_name} {found.name!r}: Keras 1 does not save its dim_ordering, and other layers"
                told += ' do not tell; "tf" is taken. Write "dim_ordering" into the config where it was "th"'
                warnings.warn(told, stacklevel=2)
        if found.class_name.startswith("ZeroPadding"):
            config["padding"] = sides(config.get("padding", 1))
        return LayerSpec(found.class_name, found.name, config, found.calls, found.model, found.shared)

    def sequential(self, config: Any) -> Spec:
        """A chain."""
        layers: list[LayerSpec] = []
        inputs, last = self.chain(config, layers, None)
        return self.spec("sequential", "Sequential", layers, inputs if len(inputs) > 1 else inputs[0], last)

    def chain(self, rows: Any, layers: list[LayerSpec], before: Ref | None) -> tuple[list[Ref], Ref]:
        """Append a chain's layers, the first of which reads `before`: -> its inputs, its end."""
        inputs = [] if before is None else [before]
        for row in rows:
            if row.get("class_name") == "Sequential":
                started, before = self.chain(row["config"], layers, before)
                inputs = inputs or started
            elif row.get("class_name") == "Merge" and "layers" in row["config"]:
                before = self.merge(row, layers, inputs)
            else:
                before = self.link(self.layer(row), layers, inputs, before)
        if before is None:
            raise ConfigError("Sequential has no layers")
        return inputs, before

    def link(self, here: LayerSpec, layers: list[LayerSpec], inputs: list[Ref], before: Ref | None) -> Ref:
        """Append one layer, or call the one of this name again; the first gets an input of its own."""
        if before is None and here.class_name != "InputLayer":
            entry = implied_input(here)
            entry.calls = [Call([])]
            layers.append(entry)
            before = Ref(entry.name)
            inputs.append(before)
        if before is None:
            inputs.append(Ref(here.name))
        known = next((s for s in layers if s.name == here.name), None)
        if known is None:
            layers.append(known := here)
        known.calls.append(Call([] if before is None else [before]))
        return Ref(known.name, len(known.calls) - 1)

    def merge(self, row: dict[str, Any], layers: list[LayerSpec], inputs: list[Ref]) -> Ref:
        """Append a Merge and the layers of the models in it."""
        ends: list[Ref] = []
        for branch in row["config"]["layers"]:
            if branch["class_name"] == "Sequential":
                started, end = self.chain(branch["config"], layers, None)
                ends.append(end)
            elif "layers" in branch["config"]:
                model = self.functional(branch["class_name"], branch["config"])
                layers.extend(s for s in model.layers if s.name not in {t.name for t in layers})
                started = model.inputs
                ends += model.outputs
            else:
                started = []
                ends.append(self.link(self.layer(branch), layers, started, None))
            inputs.extend(r for r in started if r not in inputs)
        config = {k: v for k, v in row["config"].items() if k != "layers"}
        layers.append(LayerSpec("Merge", config["name"], config, [Call([ends])]))
        return Ref(config["name"])


def sides(v: Any) -> Any:
    """Padding as pairs: Keras 1 also knew a dict, and four numbers in the order top, bottom, left, right."""
    if isinstance(v, dict):
        v = [v.get(k, 0) for k in (SIDES if {"top_pad", "bottom_pad"} & set(v) else SIDES[2:])]
    if isinstance(v, list) and len(v) == 4:
        return [v[:2], v[2:]]
    return v
