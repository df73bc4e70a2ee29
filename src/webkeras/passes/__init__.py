"""Graph to Graph, meaning kept: expand composites, fold constants into kernels, fuse what can be done together,
leave undone what nobody reads."""

from webkeras.passes.attend import attend
from webkeras.passes.expand import expand
from webkeras.passes.fold import fold
from webkeras.passes.fuse import fuse
from webkeras.passes.thin import thin

__all__ = ["attend", "expand", "fold", "fuse", "thin"]
