"""The reference backend: the graph as recorded, walked with numpy: what every backend is measured against."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from webkeras.graph import Graph, Node, run
from webkeras.lazy import np


class ReferenceExecutable:
    """A graph, ready as it is."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return {k: np.ascontiguousarray(y, "float32").ravel() for k, y in run(self.graph, self._arrays(feeds)).items()}

    def profile(self, feeds: Mapping[str, Any]) -> list[tuple[str, str, float]]:
        """(layer, op, milliseconds) of every node of one run."""
        steps: list[tuple[str, str, float]] = []
        last = time.perf_counter()

        def done(node: Node) -> None:
            nonlocal last
            now = time.perf_counter()
            steps.append((node.layer, node.op, (now - last) * 1000))
            last = now

        run(self.graph, self._arrays(feeds), done)
        return steps

    def _arrays(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return {k: np.asarray(_host(feeds[k]), "float32").reshape(v.shape) for k, v in self.graph.inputs.items()}

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
