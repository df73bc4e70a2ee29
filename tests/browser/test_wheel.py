"""The wheel, in the Pyodide it is for: in Node and in Chromium."""

import pytest
from pytest_pyodide import run_in_pyodide

from tools.build import WHEEL

pytestmark = pytest.mark.node


@run_in_pyodide(packages=["webkeras"])
def test_loads_by_name_and_leaves_numpy_alone(selenium):
    import sys

    import webkeras

    assert webkeras.__version__
    assert "numpy" not in sys.modules


@run_in_pyodide(packages=["webkeras"])
def test_bytecode_is_of_this_python(selenium):
    import sys
    from pathlib import Path

    import webkeras

    tag = sys.implementation.cache_tag
    files = list(Path(webkeras.__file__).parent.rglob("*.py"))
    missing = [file for file in files if not (file.parent / "__pycache__" / f"{file.stem}.{tag}.pyc").exists()]
    assert files
    assert not missing
    assert webkeras.__spec__.cached.endswith(f"{tag}.pyc")


@run_in_pyodide(packages=["webkeras"])
def test_carries_shaders(selenium):
    from importlib.resources import files

    assert files("webkeras").joinpath("shaders").is_dir()


def test_installs_with_micropip_in_plain_pyodide(selenium_standalone):
    selenium_standalone.load_package("micropip")
    selenium_standalone.run_async(
        f"""
        import micropip, sys
        await micropip.install("{selenium_standalone.base_url}/{WHEEL.name}")
        import webkeras
        assert "numpy" not in sys.modules and "numpy" not in micropip.list()
        """
    )


@run_in_pyodide(packages=["numpy"])
def test_numpy_works(selenium):
    import numpy as np

    assert np.linalg.norm(np.linalg.inv(np.eye(3) * 2) - np.eye(3) / 2) < 1e-12


@pytest.mark.parametrize("part", ["METADATA", "WHEEL"])
def test_asks_for_nothing_and_is_pure(part):
    import zipfile

    with zipfile.ZipFile(WHEEL) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(f".dist-info/{part}"))
        text = wheel.read(name).decode()
    if part == "WHEEL":
        assert "Tag: py3-none-any" in text
    else:
        assert not [line for line in text.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
