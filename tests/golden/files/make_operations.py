"""Operations inside functional graphs, one model each, answered by genuine Keras.

    KERAS_BACKEND=jax python make_operations.py     Keras 3.15.1 (keras.ops)       -> operations_keras3.15.1.npz
    python make_operations.py                       Keras 2.15 (TensorFlow's own)  -> operations_keras2.15.0.npz

A case's inputs are `x` (2, 3, 4), `y` (2, 3, 4) and `p` (2, 3, 4), which is positive; those that the model takes.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "layers"))

import golden_file
import numpy as np

try:
    import tensorflow as tf

    keras, version = tf.keras, __import__("keras").__version__
except ImportError:
    import keras
    from keras import ops

    version = keras.__version__

RNG = np.random.default_rng(3)
VALUES = {"x": RNG.standard_normal((2, 3, 4)), "y": RNG.standard_normal((2, 3, 4)), "p": RNG.uniform(0.3, 3, (2, 3, 4))}
VALUES = {k: v.astype("float32") for k, v in VALUES.items()}


def keras3():
    o = ops
    unary = "absolute negative sign floor ceil round exp expm1 square sin cos tan sinh cosh tanh erf relu relu6 sigmoid softplus softsign silu "
    unary += "log_sigmoid hard_sigmoid hard_silu elu selu gelu celu tanh_shrink hard_tanh hard_shrink soft_shrink leaky_relu glu squareplus "
    unary += "sparse_plus sparse_sigmoid softmax log_softmax logical_not transpose flip logsumexp trunc stop_gradient ravel zeros_like ones_like"
    for name in unary.split():
        yield name, lambda x, name=name: getattr(o, name)(x)
    for name in ["log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal"]:
        yield name, lambda p, name=name: getattr(o, name)(p)
    for name in ["add", "subtract", "multiply", "divide", "true_divide", "floor_divide", "maximum", "minimum", "mod", "less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]:
        yield name, lambda x, y, name=name: o.cast(getattr(o, name)(x, y), "float32")
    for name in ["sum", "mean", "max", "min", "prod", "var", "std", "amax", "amin"]:
        yield name, lambda x, name=name: getattr(o, name)(x, axis=-1)
        yield name + " all", lambda x, name=name: getattr(o, name)(x)
        yield name + " keepdims", lambda x, name=name: getattr(o, name)(x, axis=(1, 2), keepdims=True)
    yield "x + 1", lambda x: x + 1
    yield "2 - x", lambda x: 2 - x
    yield "x * 0.5", lambda x: x * 0.5
    yield "1 / p", lambda p: 1 / p
    yield "p ** 1.5", lambda p: p**1.5
    yield "x ** 2", lambda x: x**2
    yield "-x", lambda x: -x
    yield "abs(x)", lambda x: abs(x)
    yield "x + constants", lambda x: x + np.arange(4, dtype="float32")
    yield "x // 0.5", lambda x: x // 0.5
    yield "x % 0.7", lambda x: x % 0.7
    yield "x @ y^T", lambda x, y: o.matmul(x, o.transpose(y, (0, 2, 1)))
    yield "where", lambda x, y: o.where(x > 0, x, y)
    yield "and or", lambda x, y: o.cast(o.logical_or(o.logical_and(x > 0, y > 0), x > 1), "float32")
    yield "any", lambda x: o.cast(o.any(x > 1, axis=-1), "float32")
    yield "all", lambda x: o.cast(o.all(x > -1, axis=1, keepdims=True), "float32")
    yield "clip", lambda x: o.clip(x, -0.5, 0.8)
    yield "gelu exact", lambda x: o.gelu(x, approximate=False)
    yield "leaky_relu 0.1", lambda x: o.leaky_relu(x, negative_slope=0.1)
    yield "softmax axis 1", lambda x: o.softmax(x, axis=1)
    yield "cast int", lambda x: o.cast(o.cast(x * 3, "int32"), "float32")
    yield "round 1", lambda x: o.round(x, 1)
    yield "reshape", lambda x: o.reshape(x, (-1, 6))
    yield "transpose axes", lambda x: o.transpose(x, (0, 2, 1))
    yield "swapaxes", lambda x: o.swapaxes(x, -1, 1)
    yield "moveaxis", lambda x: o.moveaxis(x, 0, -1)
    yield "expand_dims", lambda x: o.expand_dims(x, -2)
    yield "squeeze", lambda x: o.squeeze(o.expand_dims(x, 1), 1)
    yield "concatenate", lambda x, y: o.concatenate([x, y], axis=-1)
    yield "stack", lambda x, y: o.stack([x, y], axis=1)
    yield "split", lambda x: list(o.split(x, 2, axis=-1))
    yield "split at", lambda x: list(o.split(x, [1, 3], axis=-1))
    yield "unstack", lambda x: list(o.unstack(x, axis=1))
    yield "flip axis", lambda x: o.flip(x, axis=1)
    yield "roll", lambda x: o.roll(x, 1, axis=1)
    yield "repeat", lambda x: o.repeat(x, 2, axis=1)
    yield "tile", lambda x: o.tile(x, (1, 2, 1))
    yield "broadcast_to", lambda x: o.broadcast_to(x[:, :1], (2, 3, 4))
    yield "pad", lambda x: o.pad(x, ((0, 0), (1, 2), (0, 1)))
    yield "take", lambda x: o.take(x, [2, 0], axis=1)
    yield "take one", lambda x: o.take(x, 1, axis=-1)
    yield "normalize", lambda x: o.normalize(x, axis=1)
    yield "one_hot", lambda x: o.one_hot(o.cast(o.abs(x), "int32"), 3)
    yield "x[:, 0]", lambda x: x[:, 0]
    yield "x[:, 1:]", lambda x: x[:, 1:]
    yield "x[..., -1]", lambda x: x[..., -1]
    yield "x[:, ::-1, 1:3]", lambda x: x[:, ::-1, 1:3]
    yield "x[:, None, :, ::2]", lambda x: x[:, None, :, ::2]
    yield "x[:, -2:, None, 1]", lambda x: x[:, -2:, None, 1]


def keras2():
    math = tf.math
    for name in ["abs", "negative", "sign", "floor", "ceil", "round", "exp", "expm1", "square", "sin", "cos", "tanh", "erf", "sigmoid", "softplus"]:
        yield name, lambda x, name=name: getattr(math, name)(x)
    for name in ["relu", "relu6", "elu", "selu", "softsign", "silu", "gelu", "softmax", "leaky_relu"]:
        yield "nn." + name, lambda x, name=name: getattr(tf.nn, name)(x)
    for name in ["log", "log1p", "sqrt", "rsqrt", "reciprocal"]:
        yield name, lambda p, name=name: getattr(math, name)(p)
    for name in ["add", "subtract", "multiply", "divide", "truediv", "maximum", "minimum", "floormod", "floordiv"]:
        yield name, lambda x, y, name=name: getattr(math, name)(x, y)
    for name in ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]:
        yield name, lambda x, y, name=name: tf.cast(getattr(math, name)(x, y), "float32")
    for name in ["sum", "mean", "max", "min", "prod", "variance", "std", "logsumexp"]:
        yield "reduce_" + name, lambda x, name=name: getattr(math, "reduce_" + name)(x, axis=-1)
        yield "reduce_" + name + " all", lambda x, name=name: getattr(math, "reduce_" + name)(x)
        yield (
            "reduce_" + name + " keepdims",
            lambda x, name=name: getattr(math, "reduce_" + name)(x, axis=[1, 2], keepdims=True),
        )
    yield "x + 1", lambda x: x + 1
    yield "2 - x", lambda x: 2 - x
    yield "1 / p", lambda p: 1 / p
    yield "p ** 1.5", lambda p: p**1.5
    yield "-x", lambda x: -x
    yield "x + y", lambda x, y: x + y
    yield "x - y * y", lambda x, y: x - y * y
    yield "x + constants", lambda x: x + tf.constant(np.arange(4, dtype="float32"))
    yield "keras.activations", lambda x: keras.activations.relu(x) + keras.activations.sigmoid(x)
    yield "matmul", lambda x, y: tf.matmul(x, tf.transpose(y, [0, 2, 1]))
    yield "where", lambda x, y: tf.where(x > 0, x, y)
    yield "and or", lambda x, y: tf.cast(math.logical_or(math.logical_and(x > 0, y > 0), x > 1), tf.float32)
    yield "any", lambda x: tf.cast(tf.reduce_any(x > 1, axis=-1), "float32")
    yield "clip", lambda x: tf.clip_by_value(x, -0.5, 0.8)
    yield "gelu approximate", lambda x: tf.nn.gelu(x, approximate=True)
    yield "leaky_relu 0.1", lambda x: tf.nn.leaky_relu(x, alpha=0.1)
    yield "softmax axis 1", lambda x: tf.nn.softmax(x, axis=1)
    yield "cast int", lambda x: tf.cast(tf.cast(x * 3, tf.int32), tf.float32)
    yield "reshape", lambda x: tf.reshape(x, [-1, 6])
    yield "expand squeeze", lambda x: tf.squeeze(tf.expand_dims(x, 1), axis=[1])
    yield "concat", lambda x, y: tf.concat([x, y], axis=-1)
    yield "concat of one", lambda x: tf.concat([x], axis=-1)
    yield "stack", lambda x, y: tf.stack([x, y], axis=1)
    yield "unstack", lambda x: tf.unstack(x, axis=1)
    yield "split", lambda x: tf.split(x, 2, axis=-1)
    yield "split sizes", lambda x: tf.split(x, [1, 3], axis=-1)
    yield "reverse", lambda x: tf.reverse(x, axis=[1])
    yield "repeat", lambda x: tf.repeat(x, 2, axis=1)
    yield "tile", lambda x: tf.tile(x, [1, 2, 1])
    yield "pad", lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1]])
    yield "gather", lambda x: tf.gather(x, [2, 0], axis=1)
    yield "l2_normalize", lambda x: tf.math.l2_normalize(x, axis=-1)
    yield "one_hot", lambda x: tf.one_hot(tf.cast(tf.abs(x), "int32"), 3)
    yield "x[:, 0]", lambda x: x[:, 0]
    yield "x[:, 1:]", lambda x: x[:, 1:]
    yield "x[..., -1]", lambda x: x[..., -1]
    yield "x[:, ::-1, 1:3]", lambda x: x[:, ::-1, 1:3]
    yield "x[:, tf.newaxis, :, ::2]", lambda x: x[:, tf.newaxis, :, ::2]


cases = []
for name, function in keras3() if version.startswith("3") else keras2():
    arguments = function.__code__.co_varnames[: function.__code__.co_argcount - len(function.__defaults__ or ())]
    keras.backend.clear_session()
    inputs = [keras.Input((3, 4), batch_size=2, name=a) for a in arguments]
    model = keras.Model(inputs, function(*inputs))
    answers = model(dict(zip(arguments, map(VALUES.get, arguments))) if len(arguments) > 1 else VALUES[arguments[0]])
    answers = answers if isinstance(answers, (list, tuple)) else [answers]
    outputs = [[f"output_{i}", np.asarray(a).astype("float32")] for i, a in enumerate(answers)]
    config = json.loads(model.to_json())
    cases.append(golden_file.Case(name, config, [], [[a, VALUES[a]] for a in arguments], outputs))
golden_file.write(f"operations_keras{version}.npz", version, cases)
print(version, len(cases), "cases")
