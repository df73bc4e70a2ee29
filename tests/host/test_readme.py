"""README.md tells the truth: its table is of today's layers, its Python runs, its commands exist."""

import argparse
import asyncio
import re
from pathlib import Path

import numpy as np

import webkeras
from tools import layers
from tools.support import updated
from webkeras import cli
from webkeras.layers import LAYERS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)


def test_table_of_layers_is_up_to_date():
    assert updated(README) == README, "python -m tools.support writes it anew"


def test_layers_md_is_up_to_date():
    assert layers.text() == (ROOT / "LAYERS.md").read_text(), "python -m tools.layers writes it anew"


def test_the_layer_recipe_makes_a_layer(monkeypatch):
    monkeypatch.setattr("webkeras.layers.base.LAYERS", before := dict(LAYERS))
    space = {}
    (recipe,) = [code for code in PYTHON if "@webkeras.layer" in code]
    exec(recipe, space)
    scale = space["Scale"]({"name": "s", "factor": 3.0}, 3)
    np.testing.assert_array_equal(scale(np.array([[1.0, 2.0]], "float32")), [[3.0, 6.0]])
    LAYERS.pop("Scale", None)
    before.pop("Scale", None)


def test_the_cell_calls_what_there_is(monkeypatch, capsys):
    """The cell itself, with a model from this machine in the place of the network's."""

    class Model:
        def summary(self):
            return "the summary"

        async def predict_async(self, x):
            assert x.shape == (1, 2)
            return "the answer"

    async def fetch_model(url, *, weights, metadata):
        assert (url, weights, metadata) == ("m.json", "m_weights.buf", "m_metadata.json")
        return Model()

    assert asyncio.iscoroutinefunction(webkeras.fetch_model)
    assert asyncio.iscoroutinefunction(webkeras.Model.predict_async)
    monkeypatch.setattr(webkeras, "fetch_model", fetch_model)
    (cell,) = [code for code in PYTHON if "fetch_model" in code]
    lines = "".join(f"    {line}\n" for line in cell.splitlines())
    space = {}
    exec(f"async def main():\n{lines}", space)
    asyncio.run(space["main"]())
    assert capsys.readouterr().out == "the summary\nthe answer\n"


def test_the_script_and_the_wheel_are_of_one_version():
    assert f'version: "{webkeras.__version__}"' in (ROOT / "web/webkeras.js").read_text()


def test_commands_exist():
    (commands,) = (a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert set(re.findall(r"^    webkeras (\w+)", README, re.M)) == set(commands.choices)
    for path in re.findall(r"`((?:src|tests|tools|encoder)/[\w./]+)`", README):
        assert (ROOT / path).exists(), path
