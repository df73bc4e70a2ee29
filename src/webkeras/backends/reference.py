"""The reference backend: the graph as recorded, walked with numpy: what every backend is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webkeras.graph import Graph, run
from webkeras.lazy import np


class ReferenceExecutable:
    """A graph, ready as it is."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        arrays = {
            name: np.asarray(_host(feeds[name]), "float32").reshape(v.shape) for name, v in self.graph.inputs.items()
        }
        return {k: np.ascontiguousarray(y, "float32").ravel() for k, y in run(self.graph, arrays).items()}

    async def run_async(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return self.run(feeds)

    def free(self) -> None:
        self.graph = Graph({}, {})

    def __str__(self) -> str:
        return "the graph above, node by node, with numpy"


def _host(x: Any) -> Any:
    """A JavaScript typed array as something numpy reads; anything else as it is."""
    return x.to_py() if hasattr(x, "to_py") else x


class Reference:
    """numpy."""

    name = "reference"

    def prepare(self, graph: Graph) -> ReferenceExecutable:
        return ReferenceExecutable(graph)

    async def prepare_async(self, graph: Graph) -> ReferenceExecutable:
        return ReferenceExecutable(graph)
