"""What holds for every layer: names, keys, masks, refusals."""

import numpy as np
import pytest

from webkeras.errors import ConfigError, ShapeError, WeightsError
from webkeras.graph import Value, full
from webkeras.layers import LAYERS, Layer

CLASSES = """
InputLayer Dense EinsumDense Embedding ReversibleEmbedding Identity Lambda Masking Conv1D Conv2D Conv3D Conv1DTranspose
Conv2DTranspose Conv3DTranspose DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D AveragePooling1D
AveragePooling2D AveragePooling3D MaxPooling1D MaxPooling2D MaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D
GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D AdaptiveAveragePooling1D
AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D
BatchNormalization GroupNormalization LayerNormalization RMSNormalization UnitNormalization SpectralNormalization
Activation ELU LeakyReLU PReLU ReLU Softmax AdditiveAttention Attention GroupQueryAttention MultiHeadAttention Add
Average Concatenate
Dot Maximum Minimum Multiply Subtract Cropping1D Cropping2D Cropping3D Flatten Permute RepeatVector Reshape
UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D Dropout SpatialDropout1D
SpatialDropout2D SpatialDropout3D AlphaDropout GaussianDropout GaussianNoise ActivityRegularization RandomBrightness
RandomContrast RandomCrop RandomFlip RandomRotation RandomTranslation RandomZoom CenterCrop Resizing Rescaling
Normalization CategoryEncoding Discretization IntegerLookup STFTSpectrogram ThresholdedReLU LocallyConnected1D
LocallyConnected2D BatchNormalizationV1 Hashing StringLookup TextVectorization
""".split()


@pytest.mark.parametrize("name", CLASSES)
def test_the_class_is_known(name):
    assert issubclass(LAYERS[name], Layer)


@pytest.mark.parametrize("cls", sorted(set(LAYERS.values()), key=lambda c: c.__name__), ids=lambda c: c.__name__)
def test_every_layer_says_what_it_is(cls):
    assert cls.__doc__


def test_a_key_that_nobody_reads_is_an_error():
    with pytest.raises(ConfigError, match="Dropout 'd': config key 'size' is read by nobody"):
        LAYERS["Dropout"]({"name": "d", "rate": 0.5, "size": 3})


def test_what_matters_in_training_only_is_read_over():
    LAYERS["Dense"]({"name": "d", "units": 3, "kernel_initializer": {}, "bias_regularizer": None, "trainable": False})


def test_a_number_may_come_wrapped():
    assert LAYERS["LeakyReLU"]({"alpha": {"type": "ndarray", "value": 0.25}}, 2).negative_slope == 0.25
    with pytest.raises(ConfigError, match="expected a number"):
        LAYERS["ELU"]({"alpha": {"type": "list", "value": 0.25}})


@pytest.mark.parametrize(
    ("name", "config", "sentence"),
    [
        ("Conv2D", {"filters": 1, "kernel_size": [1, 2, 3]}, "'kernel_size': \\[1, 2, 3\\]; expected 2 numbers"),
        ("Conv2D", {"filters": 1, "kernel_size": 3, "padding": "causal"}, "'causal'; expected 'valid' or 'same'"),
        ("Dense", {}, "config has no 'units'"),
        ("InputLayer", {"name": "rows", "ragged": True}, "'rows': config key 'ragged': True; expected False"),
        ("Dense", {"units": 2**25}, "'units': 33554432; expected a whole number up to"),
        ("Dense", {"units": 3, "activation": "zigzag"}, "unknown activation 'zigzag'.*custom_objects"),
        ("Dense", {"units": 3, "quantization_config": {"class_name": "GPTQConfig"}}, "'GPTQConfig'; expected Int8"),
        ("Dense", {"units": 3, "dtype": "float8_from_float32"}, "'dtype': weights quantised as 'float8'; expected"),
        ("Dense", {"units": 3, "dtype": {"config": {"mode": "gptq/4/128"}}}, "'gptq/4/128'; expected int8"),
        ("Dense", {"units": 3, "dtype": {"config": {"mode": "int4", "source_name": "float32"}}}, "'int4'; expected"),
        ("Lambda", {"name": "l", "function": "4wEAAA"}, "Lambda 'l'.*not run.*custom_objects"),
        ("ZeroPadding3D", {"padding": [1, 2]}, "'padding'.*expected 3 pairs"),
        ("STFTSpectrogram", {"mode": "phase"}, "'mode': 'phase'; expected"),
    ],
)
def test_a_config_that_makes_no_layer_is_refused(name, config, sentence):
    with pytest.raises(ConfigError, match=sentence):
        LAYERS[name](config)


@pytest.mark.parametrize(
    ("name", "config", "shapes", "sentence"),
    [
        ("Cropping2D", {"cropping": 3}, [(1, 5, 9, 2)], "leaves nothing"),
        ("Permute", {"dims": [1, 3]}, [(1, 2, 3)], "dims \\(1, 3\\)"),
        ("RepeatVector", {"n": 3}, [(1, 2, 3)], "expected \\(batch, features\\)"),
        ("Dot", {"axes": 0}, [[(2, 3), (2, 3)]], "batch axis"),
        ("Add", {}, [[(2, 3), (2, 4)]], "do not broadcast"),
        ("Subtract", {}, [[(2, 3)] * 3], "expected two"),
        ("UpSampling2D", {}, [(1, 4, 3)], "expected 4 axes"),
        ("UpSampling2D", {"size": 2**20}, [(1, 4, 4, 3)], "expected fewer than"),
        ("ZeroPadding2D", {"padding": 2**20}, [(1, 4, 4, 3)], "expected fewer than"),
        ("Attention", {}, [(1, 4, 3)], "expected one"),
        ("Reshape", {"target_shape": [5, -1]}, [(1, 4, 3)], "cannot take the shape"),
    ],
)
def test_shapes_that_a_layer_cannot_take_are_refused_by_its_name(name, config, shapes, sentence):
    xs = [[Value(s) for s in shape] if isinstance(shape, list) else Value(shape) for shape in shapes]
    with pytest.raises(ShapeError, match=f"{name} 'x': .*{sentence}"):
        LAYERS[name]({"name": "x", **config})(*xs)


def test_weights_that_do_not_fit_are_refused():
    layer = LAYERS["Conv1D"]({"name": "c", "filters": 2, "kernel_size": 3}, 3, [np.ones((3, 5, 2)), np.ones(2)])
    with pytest.raises(WeightsError, match=r"Conv1D 'c': kernel is .*3, 5, 2.*3, 4, 2"):
        layer(Value((1, 9, 4)))


def test_quantised_weights_that_keras_answers_wrongly_are_refused():
    inner = {"class_name": "Dense", "config": {"name": "d", "units": 3, "dtype": "int8_from_float32"}}
    with pytest.raises(ConfigError, match="TimeDistributed 't': Dense 'd' is quantised, which Keras answers wrongly"):
        LAYERS["TimeDistributed"]({"name": "t", "layer": inner})(Value((1, 4, 3)))


def test_attention_quantised_to_int4_is_refused():
    layer = LAYERS["MultiHeadAttention"]({"name": "a", "num_heads": 2, "key_dim": 3}, 3, [np.ones(1)] * 20)
    with pytest.raises(WeightsError, match="MultiHeadAttention 'a': its projections are quantised to int4"):
        layer(Value((1, 4, 3)), Value((1, 4, 3)))


def test_training_is_refused():
    with pytest.raises(ConfigError, match="training"):
        LAYERS["Dropout"]({"name": "d", "rate": 0.5})(Value((1, 3)), training=True)


def test_masks_stop_pass_and_are_used():
    x = Value((1, 4, 3))
    x.mask = full((1, 4), 1.0)
    assert LAYERS["Dropout"]({"rate": 0.5})(x).mask is x.mask
    assert LAYERS["ZeroPadding1D"]({})(x).mask is None
    stopped = LAYERS["RandomFlip"]({})(x)  # gives its input back, whose mask must not stick to it
    assert stopped.mask is None
    assert x.mask is not None
    assert LAYERS["GlobalAveragePooling1D"]({})(x).mask is None


def test_a_mask_that_is_handed_in_goes_before_the_one_that_came_along():
    x, other = Value((1, 4, 3)), full((1, 4), 1.0)
    x.mask = full((1, 4), 0.0)
    y = LAYERS["GlobalAveragePooling1D"]({})(x, mask=other)
    inputs, todo = set(), [y.node]
    while todo:
        node = todo.pop()
        inputs |= set(map(id, node.inputs))
        todo += [v.node for v in node.inputs if v.node]
    assert id(other) in inputs
    assert id(x.mask) not in inputs
