"""Layers after model.quantize of Keras 3."""

from make_layers import keras, model, one

Q = getattr(keras, "quantizers", None)
HOW = {
    "int8": lambda: Q.Int8QuantizationConfig(),
    "int8 weights only": lambda: Q.Int8QuantizationConfig(activation_quantizer=None),
    "int8 seven": lambda: Q.Int8QuantizationConfig(activation_quantizer=Q.AbsMaxQuantizer(value_range=(-7, 7))),
    "int4": lambda: Q.Int4QuantizationConfig(),
    "int4 blocks of 2": lambda: Q.Int4QuantizationConfig(block_size=2),
    "int4 channels": lambda: Q.Int4QuantizationConfig(block_size=None),
    "int4 inputs": lambda: Q.Int4QuantizationConfig(activation_quantizer=Q.AbsMaxQuantizer(), block_size=None),
}
EQUATIONS = {
    "abc,cde->abde": ((6, 5), {"output_shape": (None, 2, 3), "bias_axes": "de"}),
    "abcd,cde->abe": ((6, 2, 3), {"output_shape": (None, 5), "bias_axes": "e", "activation": "tanh"}),
    "abc,bd->adc": ((6, 5), {"output_shape": (3, 5)}),
}
for title, how in HOW.items():
    for shape, options in (((5,), {}), ((2, 7), {"use_bias": False, "activation": "relu"})):
        one("Dense", shape, units=3, title=title + str(options).replace(" ", ""), quantize=how, only=3, **options)
    for equation, (shape, options) in EQUATIONS.items():
        one("EinsumDense", shape, equation=equation, title=title + equation, quantize=how, only=3, **options)
    if "seven" not in title:
        one("Embedding", (4,), ints=7, input_dim=7, output_dim=5, title=title, quantize=how, only=3)

    for tied in (True, False):

        @model("ReversibleEmbedding", "%s tied=%s" % (title, tied), (6,), ints=5, only=3, quantize=how)
        def there_and_back(L, x, tied=tied):
            layer = L.ReversibleEmbedding(5, 3, tie_weights=tied, logit_soft_cap=3.0)
            return layer(L.LayerNormalization()(layer(x)), reverse=True)

