"""What goldens do not say of recurrent layers and of Keras 1: states, cells of one's own, refusals."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest

import webkeras
from tests.goldens import GOLDEN, cases, error
from webkeras import ops
from webkeras.errors import ConfigError, ShapeError, WeightsError
from webkeras.graph import Value
from webkeras.layers import LAYERS, make
from webkeras.spec import flat
from webkeras.version import Version


def golden(folder: str, class_name: str, name: str) -> Any:
    return cases(GOLDEN / folder / f"{class_name}.npz")[1][name]


def load(case: Any, weights: Any = None, version: str = "2.15.0", **options: Any) -> webkeras.Model:
    case = type(case)(case.name, case.config, weights or case.weights, case.inputs, case.outputs, case.notes)
    buf, metadata = case.buf()
    text, stored = json.dumps(case.config).encode(), json.dumps(metadata).encode()
    return webkeras.load_model(
        text, weights=buf, metadata=stored, backend="reference", keras_version=version, **options
    )


def test_a_stateful_model_takes_samples_in_batches_of_its_own() -> None:
    case = golden("keras2.15.0", "LSTM", "stateful")
    ((_, x),), ((_, y),) = case.inputs, case.outputs
    got = load(case).predict(x[:6])  # two calls in one
    np.testing.assert_allclose(got, y[:6], rtol=0, atol=1e-5)


def test_states_of_another_batch_are_refused_until_reset() -> None:
    case = golden("keras2.15.0", "LSTM", "stateful")
    ((_, x),) = case.inputs
    model = load(case)
    first = model.predict(x[:2])
    with pytest.raises(ShapeError, match=r"kept for 2 samples, the input has 3; call reset_states\(\) first"):
        model.predict(x[:3])
    model.reset_states()
    np.testing.assert_array_equal(model.predict(x[:3])[:2], first)


def test_states_are_inputs_and_outputs_of_the_graph() -> None:
    model = load(golden("keras2.15.0", "LSTM", "stateful"))
    graph = model.network.trace({"input_1": (3, 5, 4)})
    assert graph.states == ("lstm state 0", "lstm state 1", "lstm_1 state 0", "lstm_1 state 1")
    assert set(graph.states) <= set(graph.inputs)
    assert set(graph.states) <= set(graph.outputs)


def test_layers_of_one_name_keep_states_of_their_own() -> None:
    model = load(golden("keras2.15.0", "Bidirectional", "stateful"))
    graph = model.network.trace({"input_1": (3, 5, 4)})
    assert len(set(graph.states)) == 4


def test_a_cell_of_ones_own_runs_in_an_rnn() -> None:
    @webkeras.layer("Accumulator")
    class Accumulator(webkeras.Cell):
        units = webkeras.key(int)

        def build(self, x: Any, *_: Any) -> dict[str, Any]:
            return {"scale": (self.units,)}

        def states(self, x: Any) -> list[Any]:
            return [(self.units,)]

        def step(self, x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
            y = ops.add(states[0], ops.multiply(x, self.scale))
            return y, [y]

    try:
        x, scale = np.arange(24, dtype="float32").reshape(2, 4, 3), np.array([1, 2, 3], "float32")
        config = {"cell": {"class_name": "Accumulator", "config": {"units": 3}}, "return_sequences": True}
        got = make("RNN", config, 3, [scale])(x)
        np.testing.assert_array_equal(got, np.cumsum(x * scale, 1))
    finally:
        del LAYERS["Accumulator"]


@pytest.mark.parametrize("listed", [True, False])
def test_constants_reach_a_cell_of_ones_own(listed: bool) -> None:
    """Keras 2 puts them behind the initial states, in one list, or hands them over by name."""

    @webkeras.layer("Steered")
    class Steered(webkeras.Cell):
        def states(self, x: Any) -> list[Any]:
            return [x[2:]]

        def step(self, x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
            y = ops.add(ops.multiply(states[0], self.constants[0]), ops.add(x, self.constants[1]))
            return y, [y]

    try:
        config = {"cell": {"class_name": "Steered", "config": {}}, "num_constants": 2}
        x, state, times, plus = (
            np.random.default_rng(i).normal(size=s) for i, s in enumerate([(2, 4, 3), *[(2, 3)] * 3])
        )
        layer = make("RNN", config, 2)
        got = layer([x, state, times, plus]) if listed else layer([x, state], constants=[times, plus])
        for t in range(4):
            state = state * times + x[:, t] + plus
        np.testing.assert_allclose(got, state, rtol=1e-5)
    finally:
        del LAYERS["Steered"]


def test_a_stride_that_keras_1_did_not_save_is_announced() -> None:
    config = {"name": "c", "nb_filter": 2, "nb_row": 3, "nb_col": 3}
    with pytest.warns(UserWarning, match="ConvLSTM2D 'c': Keras 1 does not save its subsample, taken as 1"):
        assert make("ConvLSTM2D", config, 1).strides == (1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make("ConvLSTM2D", {**config, "subsample": [2, 2]}, 1).strides == (2, 2)


def test_keras_1_does_not_say_how_padded_images_lie() -> None:
    def padded(*more: Any) -> Any:
        first = {"name": "p", "padding": [1, 1], "batch_input_shape": [None, 3, 4, 5]}
        rows = [{"class_name": "ZeroPadding2D", "config": first}, *more]
        text = json.dumps({"class_name": "Sequential", "keras_version": "1.2.2", "config": rows}).encode()
        return webkeras.load_model(text, backend="reference").predict(np.ones((1, 3, 4, 5), "float32"))

    with pytest.warns(UserWarning, match="ZeroPadding2D 'p': Keras 1 does not save its dim_ordering"):
        assert padded().shape == (1, 5, 6, 5)
    pool = {"name": "pool", "pool_size": [1, 1], "strides": [1, 1], "border_mode": "valid", "dim_ordering": "th"}
    assert padded({"class_name": "MaxPooling2D", "config": pool}).shape == (1, 3, 6, 7)


def test_a_layer_that_is_no_cell_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"RNN 'r': .*Dense '' is no cell; expected a subclass of webkeras\.Cell"):
        make("RNN", {"name": "r", "cell": {"class_name": "Dense", "config": {"units": 3}}}, 3)


def test_a_cell_is_a_layer_too() -> None:
    case = golden("keras2.15.0", "LSTM", "plain")
    arrays = [a for _, _, a in case.weights]
    ((_, x),), zeros = case.inputs, np.zeros((3, 3), "float32")
    cell, states = make("LSTMCell", {"units": 3}, 2, arrays), [zeros, zeros]
    for t in range(x.shape[1]):
        y, *states = cell(x[:, t], states)
    assert error([y], case) < 1e-5


@pytest.mark.parametrize(
    ("class_name", "config", "found"),
    [
        ("LSTM", {"units": 3, "num_constants": 1}, "config key 'num_constants': 1; expected None or 0"),
        ("CuDNNGRU", {"units": 3, "reset_after": False}, "config key 'reset_after': False; expected True"),
        (
            "Merge",
            {"mode": ["marshalled"]},
            """its mode is a function, whose code is not run; give its meaning in custom_objects={"x": function}""",
        ),
        (
            "RNN",
            {"num_constants": 2, "cell": {"class_name": "LSTMCell", "config": {"units": 3}}},
            "num_constants is 2, but LSTMCell '' takes no constants",
        ),
        ("RNN", {"cell": {"class_name": "LSTMCell", "config": {}}}, "LSTMCell '': config has no 'units'"),
        ("Bidirectional", {"layer": 3}, "Bidirectional 'x': 3 stands where a recurrent layer was expected"),
    ],
)
def test_refusals_are_sentences(class_name: str, config: dict[str, Any], found: str) -> None:
    with pytest.raises(ConfigError, match=f"{class_name} 'x': .*" if class_name == "RNN" else "'x'") as e:
        make(class_name, {"name": "x", **config}, 2)
    assert found in str(e.value)


def test_initial_states_of_a_wrong_shape_are_refused() -> None:
    layer = make("GRU", {"name": "g", "units": 2}, 3, [Value(s) for s in ((3, 6), (2, 6), (2, 6))])
    with pytest.raises(ShapeError, match=r"GRU 'g': initial states \[\(2, 5\)\]; expected \[\(2, 2\)\]"):
        layer(Value((2, 4, 3)), initial_state=[Value((2, 5))])


def test_halves_of_a_bidirectional_must_be_equal() -> None:
    config = {"name": "b", "layer": {"class_name": "GRU", "config": {"units": 2}}}
    with pytest.raises(WeightsError, match="Bidirectional 'b': the file has 5 weights; expected as many for each"):
        make("Bidirectional", config, 3, [Value((1,))] * 5)(Value((2, 4, 3)))


def test_highway_of_keras_1_1_has_its_weights_in_another_order() -> None:
    case = golden("keras1.2.2", "Highway", "tanh")
    w, w_carry, b, b_carry = case.weights
    assert error([load(case, [w, b, w_carry, b_carry], "1.1.0").predict(case.inputs[0][1])], case) < 1e-5


@pytest.mark.parametrize("name", ["valid", "same", "square", "one"])
def test_convolution1d_of_keras_1_0_has_its_kernel_in_another_layout(name: str) -> None:
    case = golden("keras1.2.2", "Convolution1D", name)
    (layer, key, kernel), bias = case.weights
    old = [layer, key, np.transpose(kernel, (3, 2, 0, 1))]  # (k, 1, in, out) -> (out, in, k, 1)
    assert error([load(case, [old, bias], "1.0.7").predict(case.inputs[0][1])], case) < 1e-5


def test_theano_kernels_are_turned_only_where_said() -> None:
    case = golden("keras1.2.2-theano", "Convolution2D", "valid")
    x = case.inputs[0][1]
    assert error(flat(load(case, version="1.2.2", theano_kernels=True).predict(x)), case) < 1e-5
    assert error(flat(load(case, version="1.2.2").predict(x)), case) > 1e-2
    told = golden("keras2.1.2-theano", "Conv2D", "00_filters=4_kernel_size=(3,2)")
    assert error(flat(load(told, version="2.1.2", theano_kernels=False).predict(told.inputs[0][1])), told) > 1e-2


@pytest.mark.parametrize(
    ("text", "dialect", "number", "tf"),
    [
        ("1.2.2", 1, (1, 2, 2), False),
        ("0.3.1", 1, (0, 3, 1), False),
        ("2.1.2", 2, (2, 1, 2), False),
        ("2.2.4-tf", 2, (2, 2, 4), True),
        ("2.15.0", 2, (2, 15, 0), True),
        ("3.15.1", 3, (3, 15, 1), True),
        (2, 2, (2, 15, 0), True),
        ("3", 3, (3, 15, 1), True),
    ],
)
def test_versions_are_dialects_that_know_more(text: Any, dialect: int, number: Any, tf: bool) -> None:
    version = Version(text)
    assert (int(version), version.number, version.tf, version.theano) == (dialect, number, tf, False)
    assert {1: "a", 2: "b", 3: "c"}[version] == "abc"[dialect - 1]
