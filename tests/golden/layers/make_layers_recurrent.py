"""Make the golden files of recurrent layers and wrappers:  python make_layers_recurrent.py [CLASS...]

Run with Keras 2.15 (TensorFlow 2.15.1), Keras 2.1.2 (TensorFlow 1.4.1) and Keras 3.15 (KERAS_BACKEND=jax; and KERAS_BACKEND=tensorflow with
TensorFlow 2.19, which makes RNN_masked.npz alone). Writes keras<version>/<Class>.npz
beside itself (layout: golden_file.py). A row of a table is a name and a function of `keras.layers` that gives a model; what a Keras version does
not know is left out and said. A case whose notes hold "calls" was asked several times in a row, as a stateful model is: its inputs and outputs
stand one call after another on the batch axis, and "reset_before" says before which calls the states were reset.
"""

import itertools
import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models"))
import golden_file
import keras
import numpy as np
from weights import uniform

L = keras.layers
NEW = keras.__version__ > "2.1.2"
N, T, C = 3, 5, 4
GATED = {"LSTM": 2, "GRU": 1, "SimpleRNN": 1}


def coarse(name, shape, limit=1.0):
    return np.round(uniform(name, shape, -limit, limit) * 64).astype("float32") / 64


def chain(*layers, **kwargs):
    """A functional model of a chain; `shape` is the input's, `batch` its batch size."""
    batch, shape = kwargs.get("batch"), kwargs.get("shape", (T, C))
    x = L.Input(batch_shape=(batch,) + tuple(shape)) if batch else L.Input(tuple(shape))
    y = x
    for layer in layers:
        y = layer(y)
    return keras.models.Model(x, list(y) if isinstance(y, (list, tuple)) else y)


def with_states(layer, count, units=3, masked=False):
    """x and initial states into one layer."""
    x, states = L.Input((T, C)), [L.Input((units,)) for _ in range(count)]
    y = layer(L.Masking(0.0)(x) if masked else x, initial_state=states if count > 1 else states[0])
    return keras.models.Model([x] + states, list(y) if isinstance(y, (list, tuple)) else y)


def recurrent(name):
    """The rows of SimpleRNN, LSTM or GRU."""
    make, count = getattr(L, name), GATED[name]
    rows = {
        "plain": lambda: chain(make(3)),
        "one_unit": lambda: chain(make(1), shape=(1, 1)),
        "wide": lambda: chain(make(13), shape=(7, 9)),
        "sequences": lambda: chain(make(3, return_sequences=True)),
        "no_bias": lambda: chain(make(3, use_bias=False)),
        "state": lambda: chain(make(3, return_state=True)),
        "sequences_state": lambda: chain(make(3, return_sequences=True, return_state=True)),
        "backwards": lambda: chain(make(3, go_backwards=True)),
        "backwards_sequences": lambda: chain(make(3, go_backwards=True, return_sequences=True, return_state=True)),
        "unroll": lambda: chain(make(3, unroll=True, return_sequences=True)),
        "relu": lambda: chain(make(3, activation="relu")),
        "softmax": lambda: chain(make(3, activation="softmax", return_sequences=True)),
        "linear": lambda: chain(make(3, activation="linear")),
        "initial_state": lambda: with_states(make(3, return_sequences=True), count),
        "two": lambda: chain(make(3, return_sequences=True), make(4)),
        "masked": lambda: chain(L.Masking(0.0), make(3)),
        "masked_sequences": lambda: chain(L.Masking(0.0), make(3, return_sequences=True, return_state=True)),
        "masked_backwards": lambda: chain(L.Masking(0.0), make(3, return_sequences=True, go_backwards=True)),
        "masked_two": lambda: chain(L.Masking(0.0), make(3, return_sequences=True), make(4)),
        "masked_initial_state": lambda: with_states(make(3, return_sequences=True, return_state=True), count, masked=True),
        "masked_initial_state_last": lambda: with_states(make(3), count, masked=True),
        "embedded": lambda: chain(L.Embedding(6, 4, mask_zero=True), make(3, return_sequences=True), shape=(T,)),
        "stateful": lambda: chain(make(3, stateful=True, return_sequences=True), make(2, stateful=True), batch=N),
        "stateful_masked": lambda: chain(L.Masking(0.0), make(3, stateful=True), batch=N),
        "sequential": lambda: keras.models.Sequential([make(3, input_shape=(T, C), return_sequences=True), make(2), L.Dense(2)]),
    }
    if name != "SimpleRNN":
        for kind in ("sigmoid", "hard_sigmoid", "relu"):
            rows["gates_" + kind] = lambda kind=kind: chain(make(3, recurrent_activation=kind, return_sequences=True))
        rows["gates_softmax"] = lambda: chain(make(3, recurrent_activation="softmax"))
    if name == "GRU" and NEW:
        rows["reset_before"] = lambda: chain(make(3, reset_after=False, return_sequences=True))
        rows["reset_before_no_bias"] = lambda: chain(make(3, reset_after=False, use_bias=False))
        rows["reset_before_masked"] = lambda: chain(L.Masking(0.0), make(3, reset_after=False, return_sequences=True))
        rows["reset_after_no_bias_softmax"] = lambda: chain(make(3, reset_after=True, use_bias=False, activation="softmax"))
    if NEW:
        rows["masked_zero"] = lambda: chain(L.Masking(0.0), make(3, return_sequences=True, zero_output_for_mask=True))
    if keras.__version__.startswith("2.15"):
        rows["time_major"] = lambda: chain(make(3, time_major=True, return_sequences=True), shape=(T, C), batch=N)
        rows["time_major_last"] = lambda: chain(make(3, time_major=True, return_state=True), shape=(T, C), batch=N)
        rows["time_major_backwards"] = lambda: chain(make(3, time_major=True, return_sequences=True, go_backwards=True), batch=N)
    return rows


def cells():
    """The rows of RNN."""
    stack = [lambda: L.LSTMCell(3), lambda: L.GRUCell(4), lambda: L.SimpleRNNCell(2)]
    return {
        "simple": lambda: chain(L.RNN(L.SimpleRNNCell(3))),
        "lstm": lambda: chain(L.RNN(L.LSTMCell(3, use_bias=False), return_sequences=True, return_state=True)),
        "gru": lambda: chain(L.RNN(L.GRUCell(3), go_backwards=True, return_sequences=True)),
        "stacked": lambda: chain(L.RNN([make() for make in stack], return_sequences=True)),
        "stacked_state": lambda: chain(L.RNN([make() for make in stack], return_state=True)),
        "stacked_two": lambda: chain(L.RNN([L.LSTMCell(3), L.LSTMCell(3)], return_sequences=True, return_state=True)),
        "stacked_backwards": lambda: chain(L.RNN([make() for make in stack], return_sequences=True, go_backwards=True)),
        "stacked_masked": lambda: chain(L.Masking(0.0), L.RNN([L.LSTMCell(3), L.GRUCell(3)], return_sequences=True, return_state=True)),
        "stacked_bidirectional": lambda: chain(L.Bidirectional(L.RNN([L.GRUCell(3), L.GRUCell(2)], return_sequences=True))),
        "stacked_stateful": lambda: chain(L.RNN([L.LSTMCell(3), L.GRUCell(2)], stateful=True), batch=N),
    }


def bidirectional():
    """The rows of Bidirectional."""
    B = L.Bidirectional
    rows = {"gru": lambda: chain(B(L.GRU(3))), "simple": lambda: chain(B(L.SimpleRNN(3, return_sequences=True), merge_mode="sum"))}
    for mode in ("concat", "sum", "mul", "ave", None):
        rows["last_{}".format(mode)] = lambda mode=mode: chain(B(L.LSTM(3), merge_mode=mode))
        rows["sequences_{}".format(mode)] = lambda mode=mode: chain(B(L.LSTM(3, return_sequences=True), merge_mode=mode))
    rows.update({
        "masked": lambda: chain(L.Masking(0.0), B(L.LSTM(3))),
        "masked_sequences": lambda: chain(L.Masking(0.0), B(L.LSTM(3, return_sequences=True))),
        "masked_gru": lambda: chain(L.Masking(0.0), B(L.GRU(3, return_sequences=True), merge_mode="ave")),
        "masked_two": lambda: chain(L.Masking(0.0), B(L.GRU(3, return_sequences=True)), B(L.SimpleRNN(2))),
        "stateful": lambda: chain(B(L.LSTM(3, stateful=True)), batch=N),
        "sequential": lambda: keras.models.Sequential([B(L.GRU(2), input_shape=(T, C)), L.Dense(2)]),
    })
    if NEW:
        rows["state"] = lambda: chain(B(L.LSTM(3, return_state=True)))
        rows["sequences_state_None"] = lambda: chain(B(L.GRU(3, return_state=True, return_sequences=True), merge_mode=None))
        rows["initial_state"] = lambda: with_states(B(L.LSTM(3, return_sequences=True)), 4)
        rows["masked_state"] = lambda: chain(L.Masking(0.0), B(L.LSTM(3, return_state=True, return_sequences=True)))
        rows["backward_layer"] = lambda: chain(B(L.LSTM(3), backward_layer=L.GRU(3, go_backwards=True)))
        rows["backwards"] = lambda: chain(B(L.LSTM(3, go_backwards=True, return_sequences=True)))
    if NEW and keras.__version__ < "3":
        rows["masked_unrolled"] = lambda: chain(L.Masking(0.0), B(L.LSTM(3, return_sequences=True, unroll=True)))
    return rows


def masked():
    """Every way through a masked sequence, in which backends of Keras 3 differ. This is TensorFlow's."""
    rows = {}
    for i, (unroll, back, zero, sequences) in enumerate(itertools.product((False, True), repeat=4)):
        options = {"unroll": unroll, "go_backwards": back, "zero_output_for_mask": zero, "return_sequences": sequences}
        title = " ".join(k for k in sorted(options) if options[k]) or "plain"
        layer = (L.LSTM, L.GRU, L.SimpleRNN)[i % 3]
        rows[title] = lambda o=options, layer=layer: chain(L.Masking(0.0), layer(2, return_state=True, **o))
        rows[title + ", stateful"] = lambda o=options, layer=layer: chain(L.Masking(0.0), layer(2, stateful=True, **o), batch=N)
    stack = [lambda: L.LSTMCell(2), lambda: L.GRUCell(3)]
    rows["stacked"] = lambda: chain(
        L.Masking(0.0), L.RNN([make() for make in stack], return_sequences=True, unroll=True, go_backwards=True, zero_output_for_mask=True))
    for mode in ("concat", None):
        for o in ({"return_sequences": True}, {"return_sequences": True, "go_backwards": True}, {}):
            rows["Bidirectional {} {}".format(mode, " ".join(o))] = lambda o=o, mode=mode: chain(
                L.Masking(0.0), L.Bidirectional(L.LSTM(2, unroll=True, **o), merge_mode=mode))
    return rows


def conv_lstm(rank):
    """The rows of ConvLSTM1D, 2D or 3D."""
    make = getattr(L, "ConvLSTM{}D".format(rank))
    size, first = (6, 5, 4)[:rank], {"data_format": "channels_first"}
    shape = (3,) + size + (2,)
    rows = {
        "plain": lambda: chain(make(3, 3), shape=shape),
        "same": lambda: chain(make(2, 3, padding="same", return_sequences=True), shape=shape),
        "even_kernel": lambda: chain(make(2, 2, padding="same", return_sequences=True), shape=shape),
        "strides": lambda: chain(make(2, 3, strides=2), shape=shape),
        "strides_same": lambda: chain(make(2, 3, strides=2, padding="same"), shape=shape),
        "no_bias": lambda: chain(make(2, 2, use_bias=False), shape=shape),
        "gates": lambda: chain(make(2, 2, recurrent_activation="sigmoid", activation="relu"), shape=shape),
        "softmax": lambda: chain(make(2, 2, activation="softmax"), shape=shape),
        "backwards": lambda: chain(make(2, 3, go_backwards=True, return_sequences=True), shape=shape),
        "state": lambda: chain(make(2, 3, return_state=True), shape=shape),
        "two": lambda: chain(make(2, 2, return_sequences=True), make(3, 2), shape=shape),
        "stateful": lambda: chain(make(2, 3, stateful=True), batch=N, shape=shape),
        "bidirectional": lambda: chain(L.Bidirectional(make(2, 3, return_sequences=True)), shape=shape),
    }
    if rank < 3:
        rows["dilation"] = lambda: chain(make(2, 2, dilation_rate=2), shape=shape)
        rows["dilation_same"] = lambda: chain(make(2, 2, dilation_rate=2, padding="same"), shape=shape)
    if rank == 2 and keras.__version__ < "3":
        rows["channels_first"] = lambda: chain(make(2, 3, return_sequences=True, **first), shape=(3, 2) + size)
    return rows


def distributed():
    """The rows of TimeDistributed."""
    D = L.TimeDistributed

    def inner():
        x = L.Input((C,))
        return keras.models.Model(x, L.Dense(2)(L.Dense(3, activation="relu")(x)))

    return {
        "dense": lambda: chain(D(L.Dense(3, activation="tanh"))),
        "activation": lambda: chain(D(L.Activation("softmax"))),
        "conv": lambda: chain(D(L.Conv2D(2, 3)), D(L.Flatten()), shape=(3, 5, 6, 2)),
        "lstm": lambda: chain(D(L.LSTM(3)), shape=(2, T, C)),
        "norm": lambda: chain(D(L.BatchNormalization())),
        "batch": lambda: chain(D(L.Dense(3)), batch=N),
        "nested": lambda: chain(D(inner())),
        "nested_sequential": lambda: chain(D(keras.models.Sequential([L.Dense(3, input_shape=(C,)), L.Dense(2)]))),
        "masked": lambda: chain(L.Masking(0.0), D(L.Dense(3)), L.LSTM(2, return_sequences=True)),
        "after_lstm": lambda: chain(L.LSTM(3, return_sequences=True), D(L.Dense(2, activation="softmax"))),
    }


# Keras 2.1.2 saves cells without their config, and cannot read such files itself: there is nothing to be true to.
TABLES = {"SimpleRNN": lambda: recurrent("SimpleRNN"), "LSTM": lambda: recurrent("LSTM"), "GRU": lambda: recurrent("GRU"), "RNN": cells,
          "Bidirectional": bidirectional, "TimeDistributed": distributed}
TABLES.update({"ConvLSTM{}D".format(rank): lambda rank=rank: conv_lstm(rank) for rank in (1, 2, 3) if hasattr(L, "ConvLSTM{}D".format(rank))})
if keras.__version__.startswith("2.15"):
    TABLES.update({"CuDNNLSTM": dict, "CuDNNGRU": dict})
if not NEW:
    del TABLES["RNN"]
if keras.backend.backend() == "tensorflow" and NEW:
    TABLES = {"RNN_masked": masked} if keras.__version__ > "3" else dict(TABLES, RNN_masked=masked)


def variables(model):
    """[(layer name, weight name)] in the order of get_weights()."""
    return [(layer.name, getattr(v, "path", v.name)) for layer in model.layers for v in layer.weights]


def fill(model, name):
    values = []
    for i, ((_, path), value) in enumerate(zip(variables(model), model.get_weights())):
        seed, role = "{}/{}".format(name, i), path.split("/")[-1].split(":")[0]
        values.append(coarse(seed, value.shape, 0.5) + 1 if role == "moving_variance" else coarse(seed, value.shape, 0.75))
    model.set_weights(values)
    return values


def inputs(model, name):
    """Coarse numbers; where the model masks, some steps are 0: before, between, after, and all of one sample."""
    xs = []
    for i, x in enumerate(model.inputs):
        shape = tuple(int(d) if d else N for d in x.shape) if NEW else tuple(d.value or N for d in x.shape)
        if any(type(layer).__name__ == "Embedding" for layer in model.layers):
            xs.append(np.array([[0, 1, 5, 0, 2], [3, 4, 0, 0, 0], [0, 0, 0, 0, 0]], "float32"))
            continue
        a = coarse("{}/x{}".format(name, i), shape)
        if i == 0 and any(type(layer).__name__ == "Masking" for layer in model.layers):
            a[0, 0] = a[0, 2] = a[1, 3:] = a[2] = 0
        xs.append(a)
    return xs


def flat(y):
    return [a for part in y for a in flat(part)] if isinstance(y, (list, tuple)) else [np.asarray(y)]


def predict(model, xs):
    y = model.predict(xs if len(xs) > 1 else xs[0], batch_size=len(xs[0]))
    return flat(y)


def reset(model):
    """Forget all states; Keras 3 has no reset_states of a model."""
    if hasattr(model, "reset_states"):
        return model.reset_states()
    for layer in model.layers:
        for part in (layer, getattr(layer, "forward_layer", None), getattr(layer, "backward_layer", None)):
            if getattr(part, "stateful", False) and hasattr(part, "reset_state"):
                part.reset_state()


def make_case(class_name, row, build):
    keras.backend.clear_session()
    model, name = build(), class_name + "/" + row
    weights, notes = fill(model, name), {}
    if any(getattr(layer, "stateful", False) for layer in model.layers):
        calls = [inputs(model, "{}/{}".format(name, i)) for i in range(3)]
        notes = {"calls": 3, "reset_before": [2]}
        answers = []
        for i, x in enumerate(calls):
            if i == 2:
                reset(model)
            answers.append(predict(model, x) if keras.__version__ < "3" else flat(model(x)))  # predict() on JAX forgets states
        x, y = [np.concatenate(a) for a in zip(*calls)], [np.concatenate(a) for a in zip(*answers)]
    else:
        x = inputs(model, name)
        y = predict(model, x)
    ins = [i.name for i in model.inputs] if keras.__version__ > "3" else model.input_names
    outs = ["{}".format(i) for i in range(len(y))]
    config = json.loads(model.to_json())
    return golden_file.Case(row, config, [(*n, w) for n, w in zip(variables(model), weights)], list(zip(ins, x)), list(zip(outs, y)), notes)


def cudnn_cases(name):
    """Layers that run on a GPU only: their config is genuine, and so is what Keras makes of their weights for a CPU, which answers."""
    import tensorflow as tf
    from keras.src.saving.legacy.hdf5_format import preprocess_weights_for_loading as converted

    cases = []
    for row, options in {"plain": {}, "sequences": {"return_sequences": True}, "backwards": {"go_backwards": True, "return_sequences": True},
                         "state": {"return_state": True}}.items():
        twin = chain(getattr(L, name)(3, **options))
        for form, model in (("", chain(getattr(tf.compat.v1.keras.layers, "CuDNN" + name)(3, **options))), ("_as_" + name, twin)):
            full = "CuDNN{}/{}".format(name, row)
            weights = [coarse("{}/{}".format(full, i), s, 0.75) for i, s in enumerate([(C, 12), (3, 12), (24,)] if name == "LSTM" else [(C, 9), (3, 9), (18,)])]
            twin.set_weights(converted(twin.layers[1], weights, "2", "tensorflow"))
            x = inputs(model, full)
            named = [(*v, w) for v, w in zip(variables(model), weights)]
            outs = [("{}".format(i), y) for i, y in enumerate(predict(twin, x))]
            cases.append(golden_file.Case(row + form, json.loads(model.to_json()), named, list(zip(model.input_names, x)), outs))
    return cases


def main():
    folder = HERE / "keras{}".format(keras.__version__)
    folder.mkdir(exist_ok=True)
    for class_name in sys.argv[1:] or TABLES:
        cases = cudnn_cases(class_name[5:]) if class_name.startswith("CuDNN") else []
        for row, build in TABLES[class_name]().items():
            try:
                cases.append(make_case(class_name, row, build))
            except (TypeError, AttributeError, ValueError, NotImplementedError) as e:
                print("{} {}: Keras {} does not do it: {}".format(class_name, row, keras.__version__, str(e).strip().split("\n")[0][:150]))
        golden_file.write(folder / (class_name + ".npz"), keras.__version__, cases)
        print(class_name, len(cases), "cases", flush=True)


if __name__ == "__main__":
    main()
