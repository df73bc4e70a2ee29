"""Make the golden files of Keras 1:  python make_layers_keras1.py [CLASS...]   with Keras 1.2.2 on TensorFlow 1.4.1, again on Theano 1.0.5,
and with Keras 1.1.0 and 1.0.7 on Theano, for what changed since

Writes keras1.2.2/<Class>.npz beside itself, or keras<version>-theano/ with KERAS_BACKEND=theano (layout: golden_file.py). Weights stand as in
the HDF5 file that Keras writes: its layers, its names, its order. A row of a table is a name and a function that gives a model.
On Theano only what differs there is made: convolutions, whose kernels Theano turns around, with dim_ordering th and tf.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models"))
if os.environ.get("KERAS_BACKEND") == "theano":
    import theano.ifelse  # noqa: F401
import golden_file
import h5py
import keras
import keras.layers as L
import numpy as np
from keras import backend as K
from keras.models import Model, Sequential
from weights import uniform

THEANO = K._BACKEND == "theano"
OLD = keras.__version__ < "1.2"
N = 3


def absent(*args, **kwargs):
    raise NotImplementedError("not in this version")


for _name in ("Bidirectional", "AtrousConvolution1D", "AtrousConvolution2D", "SeparableConvolution2D", "Deconvolution2D", "Cropping1D", "Cropping2D", "Cropping3D", "LocallyConnected1D",
              "LocallyConnected2D", "ConvLSTM2D", "SpatialDropout1D", "TimeDistributed") + tuple(
              "Global{}Pooling{}D".format(p, r) for p in ("Max", "Average") for r in (1, 2, 3)):
    if not hasattr(L, _name):
        setattr(L, _name, absent)
TH = {"dim_ordering": "th"}


def coarse(name, shape, limit=1.0):
    return np.round(uniform(name, shape, -limit, limit) * 64).astype("float32") / 64


def S(*layers):
    model = Sequential()
    for layer in layers:
        model.add(layer)
    return model


def one(make, shape, *args, **kwargs):
    """A Sequential of one layer."""
    return lambda: S(make(*args, input_shape=shape, **kwargs))


def masked(*layers):
    return lambda: S(L.Masking(0.0, input_shape=(5, 4)), *[make() for make in layers])


def graph(shapes, build):
    """A functional model; `build` takes the inputs."""
    def make():
        xs = [L.Input(shape) for shape in shapes]
        y = build(*xs)
        return Model(xs if len(xs) > 1 else xs[0], y)
    return make


def merged(mode, shapes, **kwargs):
    return graph(shapes, lambda *xs: L.merge(list(xs), mode=mode, **kwargs))


def dense():
    rows = {"act_" + a: one(L.Dense, (4,), 3, activation=a) for a in
            "linear relu sigmoid hard_sigmoid tanh softmax softplus softsign".split()}
    rows["no_bias"] = one(L.Dense, (4,), 3, bias=False)
    rows["two"] = lambda: S(L.Dense(5, input_dim=4, activation="relu"), L.Dropout(0.5), L.Dense(2, activation="softmax"))
    return rows


def conv1d(make=L.Convolution1D, **more):
    return {
        "valid": one(make, (7, 3), 4, 3, **more), "same": one(make, (8, 3), 2, 3, border_mode="same", activation="relu", **more),
        "no_bias": one(make, (6, 1), 3, 2, bias=False, **more), "one": one(make, (5, 4), 5, 1, **more), "square": one(make, (6, 3), 3, 3, **more),
    }


def conv2d(make=L.Convolution2D, strided=True, **more):
    rows = {
        "valid": one(make, (6, 7, 3), 4, 3, 2, **more), "same": one(make, (6, 5, 2), 3, 3, 3, border_mode="same", activation="tanh", **more),
        "no_bias": one(make, (6, 6, 3), 2, 3, 3, bias=False, **more), "th": one(make, (3, 6, 7), 4, 3, 2, **dict(more, **TH)),
        "th_same": one(make, (2, 5, 6), 3, 3, 3, border_mode="same", **dict(more, **TH)), "th_square": one(make, (3, 5, 5), 3, 3, 3, **dict(more, **TH)),
    }
    if strided:
        rows["strided"] = one(make, (9, 9, 2), 3, 3, 3, subsample=(2, 2), **more)
        rows["strided_same"] = one(make, (9, 8, 2), 3, 3, 3, subsample=(2, 2), border_mode="same", **more)
    return rows


def conv3d():
    return {"valid": one(L.Convolution3D, (4, 5, 6, 2), 3, 2, 3, 2), "same": one(L.Convolution3D, (3, 4, 3, 2), 2, 3, 3, 3, border_mode="same"),
            "strided": one(L.Convolution3D, (5, 5, 5, 1), 2, 2, 2, 2, subsample=(2, 2, 2)), "th": one(L.Convolution3D, (2, 4, 5, 6), 3, 2, 3, 2, **TH)}


def deconv():
    D = L.Deconvolution2D
    return {"valid": one(D, (4, 5, 2), 3, 3, 3, output_shape=(None, 6, 7, 3)), "strided": one(D, (4, 5, 2), 3, 3, 3, output_shape=(None, 9, 11, 3), subsample=(2, 2)),
            "same": one(D, (4, 5, 2), 3, 3, 3, output_shape=(None, 8, 10, 3), subsample=(2, 2), border_mode="same"),
            "th": one(D, (2, 4, 5), 3, 3, 3, output_shape=(None, 3, 6, 7), **TH)}


def recurrent(make):
    rows = {
        "plain": one(make, (5, 4), 3), "sequences": one(make, (5, 4), 3, return_sequences=True), "backwards": one(make, (5, 4), 3, go_backwards=True, return_sequences=True),
        "unroll": one(make, (5, 4), 3, unroll=True), "relu": one(make, (5, 4), 3, activation="relu"), "masked": masked(lambda: make(3)),
        "masked_sequences": masked(lambda: make(3, return_sequences=True)), "masked_two": masked(lambda: make(3, return_sequences=True), lambda: make(2)),
        "embedded": lambda: S(L.Embedding(6, 4, mask_zero=True, input_length=5), make(3, return_sequences=True)),
        "stateful": lambda: S(make(3, stateful=True, return_sequences=True, batch_input_shape=(N, 5, 4)), make(2, stateful=True)),
        "mem": one(make, (5, 4), 3, consume_less="mem"), "gpu": one(make, (5, 4), 3, consume_less="gpu"),
    }
    if make is not L.SimpleRNN:
        rows["sigmoid"] = one(make, (5, 4), 3, inner_activation="sigmoid")
    return rows


def bidirectional():
    B, rows = L.Bidirectional, {}
    for mode in ("concat", "sum", "mul", "ave"):
        rows[mode] = one(lambda mode=mode, **k: B(L.LSTM(3), merge_mode=mode, **k), (5, 4))
        rows["sequences_" + mode] = one(lambda mode=mode, **k: B(L.GRU(3, return_sequences=True), merge_mode=mode, **k), (5, 4))
    rows["none"] = graph([(5, 4)], lambda x: B(L.LSTM(3, return_sequences=True), merge_mode=None)(x))
    rows["masked"] = masked(lambda: B(L.LSTM(3, return_sequences=True)))
    rows["masked_last"] = masked(lambda: B(L.SimpleRNN(3)))
    return rows


def merges():
    a, b, t = (5,), (4, 3), (3, 4, 2)
    rows = {"{}_{}".format(mode, len(s)): merged(mode, [s] * 3) for mode in ("sum", "mul", "ave", "max", "concat") for s in (a, b, t)}
    rows.update({
        "concat_axis_1": merged("concat", [(2, 3), (4, 3)], concat_axis=1), "dot": merged("dot", [a, a]), "dot_axes": merged("dot", [b, (4, 5)], dot_axes=(1, 1)),
        "dot_last": merged("dot", [b, (5, 3)], dot_axes=(2, 2)), "dot_mixed": merged("dot", [b, (3, 5)], dot_axes=(2, 1)), "dot_one": merged("dot", [b, b], dot_axes=1),
        "cos": merged("cos", [a, a]), "cos_axes": merged("cos", [b, b], dot_axes=1),
        "branches": lambda: S(L.Merge([S(L.Dense(3, input_dim=4)), S(L.Dense(3, input_dim=5), L.Activation("relu"))], mode="sum"), L.Dense(2)),
        "branches_deep": lambda: S(L.Merge([S(L.Merge([S(L.Dense(3, input_dim=4)), S(L.Dense(2, input_dim=5))], mode="concat"), L.Dense(3)),
                                            S(L.Dense(3, input_dim=6))], mode="mul"), L.Dense(2)),
        "branch_model": lambda: S(L.Merge([graph([(4,)], lambda x: L.Dense(3)(x))(), S(L.Dense(3, input_dim=5))], mode="concat"), L.Dense(2)),
        "masked": graph([(5, 4)], lambda x: L.LSTM(2, return_sequences=True)(L.merge([L.Masking()(x), L.Masking()(x)], mode="sum"))),
        "masked_concat": graph([(5, 4)], lambda x: L.LSTM(2, return_sequences=True)(L.merge([L.Masking()(x), x], mode="concat"))),
    })
    return rows


def norms():
    B = L.BatchNormalization
    return {"plain": one(B, (5,)), "image": one(B, (4, 5, 3)), "axis_1": one(B, (3, 4, 5), axis=1), "epsilon": one(B, (5,), epsilon=0.1), "mode_1": one(B, (5,), mode=1),
            "mode_1_image": one(B, (3, 4, 5), mode=1), "mode_2": one(B, (5,), mode=2), "mode_2_axis_1": one(B, (3, 4, 2), mode=2, axis=1),
            "nested": lambda: S(S(L.Dense(3, input_dim=4), B(), L.Dense(2)), B())}


def windows(pool):
    make1, make2, make3 = (getattr(L, "{}Pooling{}D".format(pool, r)) for r in (1, 2, 3))
    return {"1d": one(make1, (7, 3)), "1d_stride": one(make1, (8, 3), pool_length=3, stride=2, border_mode="same"), "2d": one(make2, (6, 7, 3)),
            "2d_same": one(make2, (7, 7, 2), pool_size=(3, 2), strides=(2, 2), border_mode="same"), "2d_th": one(make2, (3, 6, 6), **TH), "3d": one(make3, (4, 4, 5, 2)),
            "3d_th": one(make3, (2, 4, 4, 5), **TH)}


def padded(name, th):
    """ZeroPadding, Cropping or UpSampling; dim_ordering is saved by neighbours only."""
    make = [getattr(L, "{}{}D".format(name, r)) for r in (1, 2, 3)]
    rows = {"1d": one(make[0], (5, 3)), "2d": one(make[1], (5, 6, 3)), "3d": one(make[2], (4, 5, 6, 2)),
            "th": lambda: S(L.Convolution2D(2, 3, 3, input_shape=(3, 7, 8), **TH), make[1](**TH))}
    if name == "ZeroPadding":
        rows["2d_four"] = one(make[1], (4, 5, 2), padding=(1, 2, 0, 3))
        rows["2d_dict"] = one(make[1], (4, 5, 2), padding={"top_pad": 1, "right_pad": 2})
        rows["1d_pair"] = one(make[0], (5, 3), padding=(1, 2))
        rows["1d_dict"] = one(make[0], (5, 3), padding={"left_pad": 2})
        rows["2d_two"] = one(make[1], (4, 5, 2), padding=(2, 1))
    if name == "Cropping":
        rows["2d_pairs"] = one(make[1], (6, 7, 2), cropping=((1, 2), (0, 3)))
        rows["1d_pair"] = one(make[0], (7, 3), cropping=(2, 1))
    if name == "UpSampling":
        rows["2d_size"] = one(make[1], (3, 4, 2), size=(3, 1))
    return rows


def models():
    """Whole graphs: nested, shared, in and out in several ways."""
    def shared():
        layer = L.Dense(3)
        return graph([(4,), (4,)], lambda a, b: L.merge([layer(a), layer(b)], mode="concat"))()

    def inner():
        return graph([(4,)], lambda x: L.Dense(3)(L.Dense(5, activation="tanh")(x)))()

    return {
        "nested_sequential": lambda: S(S(L.Dense(3, input_dim=4), L.Dense(2)), L.Dense(5)),
        "nested_model": lambda: S(inner(), L.Dense(2)), "functional_nested": graph([(4,)], lambda x: L.Dense(2)(inner()(x))),
        "functional_sequential": graph([(4,)], lambda x: S(L.Dense(3, input_dim=4), L.BatchNormalization(), L.Dense(2))(x)), "shared": shared,
        "two_outputs": graph([(4,)], lambda x: [L.Dense(3)(x), L.Dense(2)(x)]),
        "timedistributed_model": lambda: S(L.TimeDistributed(inner(), input_shape=(5, 4))), "output_feeds_on": graph([(4,)], lambda x: (lambda h: [h, L.Dense(2)(h)])(L.Dense(3)(x))),
    }


def others():
    """{class: rows} of the rest."""
    D = L.TimeDistributed
    return {
        "Highway": {"plain": one(L.Highway, (4,)), "tanh": one(L.Highway, (4,), activation="tanh"), "no_bias": one(L.Highway, (4,), bias=False)},
        "MaxoutDense": {"plain": one(L.MaxoutDense, (4,), 3), "two": one(L.MaxoutDense, (5,), 2, nb_feature=2, bias=False)},
        # without a bias, 1.1 loses its kernel
        "TimeDistributedDense": {"plain": one(L.TimeDistributedDense, (5, 4), 3), "softmax": one(L.TimeDistributedDense, (5, 4), 3, activation="softmax", bias=OLD)},
        "TimeDistributed": {"dense": one(lambda **k: D(L.Dense(3), **k), (5, 4)), "conv": one(lambda **k: D(L.Convolution2D(2, 3, 3), **k), (3, 5, 6, 2)),
                            "masked": masked(lambda: D(L.Dense(3)), lambda: L.LSTM(2, return_sequences=True))},
        "Advanced": {"leaky": one(L.LeakyReLU, (5,), alpha=0.2), "elu": one(L.ELU, (5,), alpha=0.7), "thresholded": one(L.ThresholdedReLU, (5,), theta=0.3),
                     "prelu": one(L.PReLU, (4, 3)), "prelu_shared": one(L.PReLU, (4, 5, 3), shared_axes=[1, 2]), "softplus": one(L.ParametricSoftplus, (4, 3)),
                     "softplus_shared": one(L.ParametricSoftplus, (4, 5, 3), shared_axes=[1, 2]), "srelu": one(L.SReLU, (4, 3)),
                     "srelu_shared": one(L.SReLU, (4, 5, 3), shared_axes=[1, 2]), "srelu_vector": one(L.SReLU, (9,))},
        "Embedding": {"plain": lambda: S(L.Embedding(6, 4, input_length=5)), "open": lambda: S(L.Embedding(6, 3, dropout=0.2))},
        "Core": {"flatten": one(L.Flatten, (3, 4, 2)), "reshape": one(L.Reshape, (3, 4), (2, -1)), "permute": one(L.Permute, (3, 4), (2, 1)), "repeat": one(L.RepeatVector, (4,), 3),
                 "softmax_3d": one(L.Activation, (3, 4), "softmax"), "noise": lambda: S(L.GaussianNoise(0.1, input_shape=(4,)), L.GaussianDropout(0.2), L.ActivityRegularization(l1=0.1)),
                 "spatial": lambda: S(L.SpatialDropout2D(0.5, input_shape=(4, 5, 2)), L.Flatten(), L.Dense(2)), "spatial1": one(L.SpatialDropout1D, (4, 5), 0.5),
                 "spatial3": lambda: S(L.SpatialDropout3D(0.5, input_shape=(2, 3, 4, 2)), L.Flatten(), L.Dense(2)),
                 "th_flatten": lambda: S(L.Convolution2D(2, 3, 3, input_shape=(3, 5, 6), **TH), L.Flatten(), L.Dense(2))},
        "LocallyConnected": {"1d": one(L.LocallyConnected1D, (6, 3), 2, 3), "1d_strided": one(L.LocallyConnected1D, (7, 3), 2, 3, subsample_length=2, bias=False),
                             "2d": one(L.LocallyConnected2D, (5, 6, 2), 3, 3, 2), "2d_strided": one(L.LocallyConnected2D, (7, 7, 2), 3, 3, 3, subsample=(2, 2), activation="relu"),
                             "2d_th": one(L.LocallyConnected2D, (2, 5, 6), 3, 3, 2, **TH)},
        "GlobalPooling": {"{}_{}d{}".format(p, r, "_th" if th else ""): one(getattr(L, "Global{}Pooling{}D".format(p, r)), (3, 4, 5, 2)[-r - 1:], **th) for p in ("Max", "Average")
                          for r in (1, 2, 3) for th in ({}, TH) if r > 1 or not th},
        # ConvLSTM2D does not save its subsample: such a file cannot be read rightly by anybody
        "ConvLSTM2D": {"valid": one(L.ConvLSTM2D, (3, 5, 6, 2), 2, 3, 3, border_mode="valid"), "same": one(L.ConvLSTM2D, (3, 5, 4, 2), 2, 3, 3, border_mode="same", return_sequences=True),
                       "th": one(L.ConvLSTM2D, (3, 2, 5, 6), 2, 3, 3, border_mode="same", return_sequences=True, **TH),
                       "backwards": one(L.ConvLSTM2D, (3, 5, 4, 2), 2, 3, 3, border_mode="same", go_backwards=True, return_sequences=True)},
    }


TABLES = {
    "Dense": dense, "Convolution1D": conv1d, "AtrousConvolution1D": lambda: conv1d(L.AtrousConvolution1D, atrous_rate=2), "Convolution2D": conv2d,
    "AtrousConvolution2D": lambda: conv2d(L.AtrousConvolution2D, strided=False, atrous_rate=(2, 2)), "Convolution3D": conv3d, "Deconvolution2D": deconv,
    "SimpleRNN": lambda: recurrent(L.SimpleRNN), "LSTM": lambda: recurrent(L.LSTM), "GRU": lambda: recurrent(L.GRU), "Bidirectional": bidirectional, "Merge": merges,
    "BatchNormalization": norms, "MaxPooling": lambda: windows("Max"), "AveragePooling": lambda: windows("Average"), "Models": models,
}
TABLES.update({name: lambda name=name: padded(name, TH) for name in ("ZeroPadding", "Cropping", "UpSampling")})
TABLES.update({name: lambda rows=rows: rows for name, rows in others().items()})
if OLD:
    TABLES = {k: TABLES[k] for k in ("Dense", "Convolution1D", "Convolution2D", "SimpleRNN", "LSTM", "GRU", "Bidirectional", "Merge", "BatchNormalization", "Highway", "MaxoutDense", "Models",
                                     "TimeDistributedDense", "TimeDistributed", "Advanced", "Embedding", "Core")}
elif THEANO:
    TABLES = {k: TABLES[k] for k in ("Convolution1D", "Convolution2D", "Convolution3D", "AtrousConvolution2D", "Deconvolution2D", "ConvLSTM2D", "LocallyConnected", "MaxPooling", "AveragePooling")}
else:
    TABLES["SeparableConvolution2D"] = lambda: conv2d(L.SeparableConvolution2D, depth_multiplier=2)


def fill(model, name):
    values = []
    for i, (w, value) in enumerate(zip(model.weights, model.get_weights())):
        seed = "{}/{}".format(name, i)
        values.append(coarse(seed, value.shape, 0.5) + 1 if "running_std" in w.name else coarse(seed, value.shape, 0.75))
    model.set_weights(values)


def stored(model):
    """[[layer, weight, array]] as save_weights lays them out."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_weights(folder + "/w.h5")
        with h5py.File(folder + "/w.h5", "r") as file:
            return [(layer.decode(), w.decode(), file[layer][w][...].astype("float32"))
                    for layer in file.attrs["layer_names"] for w in file[layer].attrs["weight_names"]]


def inputs(model, name):
    shapes = model.input_shape if isinstance(model.input_shape, list) else [model.input_shape]
    xs = []
    for i, shape in enumerate(shapes):
        a = coarse("{}/x{}".format(name, i), tuple(d or (N if j == 0 else 5) for j, d in enumerate(shape)))
        if '"Embedding"' in model.to_json():
            a = np.array([[0, 1, 5, 0, 2], [3, 4, 0, 0, 0], [0, 0, 0, 0, 0]], "float32")
        elif '"Masking"' in model.to_json():
            a[0, 0] = a[0, 2] = a[1, 3:] = a[2] = 0
        xs.append(a)
    return xs


def predict(model, xs):
    y = model.predict(xs if len(xs) > 1 else xs[0], batch_size=len(xs[0]))
    return y if isinstance(y, list) else [y]


def make_case(class_name, row, build):
    K.clear_session() if not THEANO else None
    model, name = build(), class_name + "/" + row
    fill(model, name)
    notes = {"theano": True} if THEANO else {}
    if row == "stateful":
        calls = [inputs(model, "{}/{}".format(name, i)) for i in range(3)]
        answers = []
        for i, x in enumerate(calls):
            if i == 2:
                model.reset_states()
            answers.append(predict(model, x))
        notes.update({"calls": 3, "reset_before": [2]})
        x, y = [np.concatenate(a) for a in zip(*calls)], [np.concatenate(a) for a in zip(*answers)]
    else:
        x = inputs(model, name)
        y = predict(model, x)
    assert all(a.size and np.isfinite(a).all() for a in y), name
    assert all((a > 0).all() for _, w, a in stored(model) if "running_std" in w), "1.0 mixes up the weights of nested models"
    return golden_file.Case(row, json.loads(model.to_json()), stored(model), list(zip(model.input_names, x)), [("{}".format(i), a) for i, a in enumerate(y)], notes)


def main():
    folder = HERE / "keras{}{}".format(keras.__version__, "-theano" if THEANO else "")
    folder.mkdir(exist_ok=True)
    for class_name in sys.argv[1:] or TABLES:
        cases = []
        for row, build in TABLES[class_name]().items():
            try:
                cases.append(make_case(class_name, row, build))
            except Exception as e:
                print("{} {}: Keras does not do it: {}: {}".format(class_name, row, type(e).__name__, str(e).strip().split("\n")[0][:150]))
        if not cases:
            continue
        golden_file.write(folder / (class_name + ".npz"), keras.__version__, cases)
        print(class_name, len(cases), "cases", flush=True)


if __name__ == "__main__":
    main()
