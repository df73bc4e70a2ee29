"""Ops whose meaning another library states: einsum against numpy's, resize against one computed by hand."""

import numpy as np
import pytest

from webkeras import ops
from webkeras.errors import ShapeError
from webkeras.graph import Value

EQUATIONS = [
    ("abc,cd->abd", (2, 3, 4), (4, 5)),
    ("abc,cd->dab", (2, 3, 4), (4, 5)),
    ("abc,bcd->abd", (2, 3, 4), (3, 4, 5)),
    ("abc,bcd->dba", (2, 3, 4), (3, 4, 5)),
    ("abcd,cde->abe", (2, 3, 4, 5), (4, 5, 6)),
    ("...x,xy->...y", (2, 3, 4), (4, 5)),
    ("x...,xy->y...", (4, 2, 3), (4, 5)),
    ("ab,cd->acbd", (2, 3), (4, 5)),
    ("ab,ab->ab", (2, 3), (2, 3)),
    ("ab,ab->a", (2, 3), (2, 3)),
    ("abc,db->ad", (2, 3, 4), (5, 3)),
]


@pytest.mark.parametrize(("equation", "a", "b"), EQUATIONS, ids=lambda v: v if isinstance(v, str) else "")
def test_einsum_is_numpys(equation, a, b):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=a).astype("float32"), rng.normal(size=b).astype("float32")
    np.testing.assert_allclose(ops.einsum(equation, x, y), np.einsum(equation, x, y), rtol=0, atol=1e-5)


@pytest.mark.parametrize("equation", ["ab->ab", "ab,bc", "ab,bcd->ad", "...a,...b->ab"])
def test_einsum_refuses_what_does_not_fit(equation):
    with pytest.raises(ShapeError, match="einsum"):
        ops.einsum(equation, np.ones((2, 3)), np.ones((3, 4)))


def test_einsum_refuses_sizes_that_differ():
    with pytest.raises(ShapeError, match="'b' is 3 and 4"):
        ops.einsum("ab,bc->ac", np.ones((2, 3)), np.ones((4, 5)))


@pytest.mark.parametrize(("window", "stride", "pads"), [(2, 1, (2, 0)), (2, 1, (0, 2)), (3, 4, (2, 5))])
def test_pool_refuses_windows_in_the_padding_only(window, stride, pads):
    with pytest.raises(ShapeError, match=r"on 5 elements padded by .* holds none"):
        ops.pool(Value((1, 5, 3)), fn="max", window_=(window,), strides=(stride,), pads=(pads,))


def test_resize_knows_half_pixel_centres():
    x = np.array([[0, 1], [2, 3]], "float32").reshape(1, 2, 2, 1)
    y = ops.resize(x, size=(2, 4), mode="linear")[0, ..., 0]
    np.testing.assert_array_equal(y, [[0, 0.25, 0.75, 1], [2, 2.25, 2.75, 3]])
    np.testing.assert_array_equal(ops.resize(x, size=(2, 3), mode="nearest")[0, ..., 0], [[0, 1, 1], [2, 3, 3]])
