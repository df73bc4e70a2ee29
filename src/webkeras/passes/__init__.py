"""Graph to Graph, meaning kept: expand composites, fold constants into kernels, fuse elementwise work."""

from webkeras.passes.expand import expand
from webkeras.passes.fold import fold
from webkeras.passes.fuse import fuse

__all__ = ["expand", "fold", "fuse"]
