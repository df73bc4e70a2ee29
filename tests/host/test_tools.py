"""The build's own habits: what is skipped, what is trusted, how pages are served."""

import hashlib
import urllib.request

import pytest

from tools import common, numpy_wheel
from tools.serve import serving

NUMPY = {"version": "2.4.6", "file_name": "numpy.whl", "sha256": hashlib.sha256(b"good").hexdigest()}
LOCK = {"info": {"abi_version": "2026_0"}, "packages": {"numpy": NUMPY}}


@pytest.fixture
def core(tmp_path, monkeypatch):
    """An unpacked Pyodide whose distribution is a folder of this test, and an empty cache."""
    monkeypatch.setattr(numpy_wheel, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(numpy_wheel, "_build", lambda core, version, abi, wheel: wheel.write_bytes(b"built"))
    monkeypatch.setattr(numpy_wheel, "_distribution", lambda core: f"{tmp_path.as_uri()}/served/")
    (tmp_path / "served").mkdir()
    return tmp_path


def test_numpy_comes_from_the_distribution_and_then_from_the_cache(core):
    (core / "served/numpy.whl").write_bytes(b"good")
    assert numpy_wheel.numpy_wheel(core, LOCK).read_bytes() == b"good"
    (core / "served/numpy.whl").unlink()
    assert numpy_wheel.numpy_wheel(core, LOCK).read_bytes() == b"good"


@pytest.mark.parametrize("served", [None, b"altered"])
def test_numpy_is_built_where_the_distribution_has_not_what_the_lock_file_says(core, served):
    if served:
        (core / "served/numpy.whl").write_bytes(served)
    assert numpy_wheel.numpy_wheel(core, LOCK).read_bytes() == b"built"


def test_the_distribution_is_the_one_of_the_loader(tmp_path):
    core = tmp_path / "pyodide-1.2.3"
    core.mkdir()
    (core / "pyodide.mjs").write_text("cdnUrl=k(e.packageBaseUrl??`https://cdn.example/pyodide/v${U}/full/`)")
    assert numpy_wheel._distribution(core) == "https://cdn.example/pyodide/v1.2.3/full/"


def test_a_step_is_done_again_only_when_an_input_changed_or_its_product_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "DIST", tmp_path / "dist")
    source, made, times = tmp_path / "source", tmp_path / "made", []

    def work():
        times.append(source.read_text())
        made.touch()

    for text in ("a", "a", "b"):
        source.write_text(text)
        common.step("a step", made, [source], work)
    made.unlink()
    common.step("a step", made, [source], work)
    assert times == ["a", "b", "b"]


def test_pages_are_served_isolated_and_with_the_types_that_browsers_want(tmp_path):
    types = {"mjs": "text/javascript", "js": "text/javascript", "wasm": "application/wasm", "json": "application/json"}
    with serving(tmp_path) as address:
        for ending, kind in types.items():
            (tmp_path / f"a.{ending}").touch()
            with urllib.request.urlopen(f"{address}/a.{ending}") as answer:
                assert answer.headers["Content-Type"] == kind
                assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
                assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
