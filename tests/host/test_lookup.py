"""Hashes against TensorFlow's, and the sentences of layers that read text."""

import json
from pathlib import Path

import numpy as np
import pytest

from webkeras import load_model
from webkeras.errors import ConfigError, ShapeError
from webkeras.graph import Value
from webkeras.layers import LAYERS
from webkeras.layers.fingerprint import farm, sip

# Of n bytes 0x21 + i % 90: TensorFlow 2.15.1's tf.strings.to_hash_bucket_fast(s, 2**62) and _strong(s, 2**62, [3, 7])
FARM = {
    0: 1936946117179621455,
    1: 3152378937766532274,
    3: 969709466001086554,
    4: 2316771418733796220,
    7: 4330600596140326636,
    8: 2300498689553494015,
    15: 2871923816043327675,
    16: 4448877358553853346,
    17: 3685426484243081338,
    32: 3973387456402521274,
    33: 1876444801302822605,
    64: 1194043469701384649,
    65: 2030004540061410945,
    128: 351310781013264656,
    129: 4045190871648752982,
    200: 1757230146674952775,
}
SIP = {
    0: 4260434136022711673,
    1: 3706999559898253482,
    3: 778950292683257755,
    4: 4573158848097608243,
    7: 63175081122910949,
    8: 1018443629049071874,
    15: 3786892159718021698,
    16: 172207459051154617,
    17: 2305323406776868426,
    32: 1276662804191431922,
    33: 2152426447644526093,
    64: 422196773803807240,
    65: 4467810011769295505,
    128: 1831041907941611023,
    129: 673642210995983462,
    200: 3469562891053047052,
}


@pytest.mark.parametrize("n", FARM)
def test_hashes_are_tensorflows(n):
    text = bytes(0x21 + i % 90 for i in range(n))
    assert farm(text) % 2**62 == FARM[n]
    assert sip(text, (3, 7)) % 2**62 == SIP[n]


def model(*layers):
    first = {"class_name": "InputLayer", "config": {"name": "words", "batch_input_shape": [None, 1], "dtype": "string"}}
    rows = [first, *({"class_name": name, "config": config} for name, config in layers)]
    text = json.dumps({"class_name": "Sequential", "keras_version": "2.15.0", "config": {"name": "m", "layers": rows}})
    return load_model(text.encode(), backend="reference")


VECTOR = ("TextVectorization", {"name": "v", "vocabulary": ["a", "b"], "split": "whitespace", "output_mode": "int"})


def test_text_goes_in():
    m = model(VECTOR)
    np.testing.assert_array_equal(m.predict(["a b c", "b"]), [[2, 3, 1], [3, 0, 0]])
    np.testing.assert_array_equal(m.predict(np.array([["a b c"], ["b"]])), [[2, 3, 1], [3, 0, 0]])
    assert m.outputs[0].shape is None


def test_a_file_of_adapted_layers_answers_as_keras_did():
    """Vocabularies in assets/, a text layer in a nested model, inputs that several layers read."""
    folder = Path(__file__).parents[1] / "golden" / "files" / "text"
    answers = json.loads((folder / "answers.json").read_text())
    m = load_model(folder / "words.keras", backend="reference")
    assert [i.dtype for i in m.inputs] == ["string", "string", "int64"]
    found = m.predict(answers["inputs"])
    assert set(found) == set(answers["outputs"])
    for k, y in answers["outputs"].items():
        np.testing.assert_allclose(found[k], y, rtol=1e-5, atol=1e-6)


def test_a_model_that_reads_text_is_not_explained_without_shapes():
    with pytest.raises(ShapeError, match="'m' reads text; give the shapes of what becomes of it: 'v'"):
        model(VECTOR).explain()
    assert "plan" in model(VECTOR, ("Dropout", {"name": "d", "rate": 0.5})).explain({"v": (2, 3)})


def test_text_that_no_input_brings_is_refused():
    rows = [("StringLookup", {"name": "s", "vocabulary": ["a"]})]
    with pytest.raises(ConfigError, match="StringLookup 's': reads text"):
        model(("Dropout", {"name": "d", "rate": 0.5}), *rows).predict(np.ones((1, 1)))
    with pytest.raises(ConfigError, match="StringLookup 's': reads text"):
        LAYERS["StringLookup"]({"name": "s", "vocabulary": ["a"]})(Value((1, 1)))


@pytest.mark.parametrize(
    ("name", "config", "sentence"),
    [
        ("StringLookup", {}, "has no vocabulary"),
        ("StringLookup", {"vocabulary": ["a"], "num_oov_indices": 0}, "'zebra' is not in the vocabulary"),
    ],
)
def test_words_that_have_no_place_are_refused(name, config, sentence):
    with pytest.raises(ConfigError, match=f"{name} 's': .*{sentence}"):
        LAYERS[name]({"name": "s", **config}).encode([["zebra"]])


def test_tf_idf_without_weights_is_refused_by_name():
    with pytest.raises(ConfigError, match="StringLookup 's': has no idf_weights"):
        LAYERS["StringLookup"]({"name": "s", "vocabulary": ["a"], "output_mode": "tf_idf"}).encode([["a"]])
