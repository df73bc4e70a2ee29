"""Convolutions, plain, transposed, depthwise and separable, over 1 to 3 axes."""

from make_layers import one

SHAPES = {1: (9, 4), 2: (6, 7, 4), 3: (5, 6, 4, 2)}
SMALL = {1: (5, 3), 2: (3, 4, 2), 3: (3, 2, 2, 2)}

for rank, shape in SHAPES.items():
    conv, transpose = "Conv%dD" % rank, "Conv%dDTranspose" % rank
    first = (shape[-1],) + shape[:-1]
    kernel = (3, 2, 2)[:rank]
    small = SMALL[rank]
    one(conv, shape, filters=3, kernel_size=kernel)
    one(conv, shape, filters=3, kernel_size=3, strides=2, padding="same", activation="relu")
    one(conv, shape, filters=3, kernel_size=2, dilation_rate=2, padding="same", use_bias=False)
    one(conv, shape, filters=3, kernel_size=(2, 3, 1)[:rank], strides=(3, 2, 1)[:rank], padding="valid")
    one(transpose, small, filters=3, kernel_size=kernel)
    one(transpose, small, filters=3, kernel_size=2, strides=3, activation="tanh")
    one(transpose, small, filters=3, kernel_size=3, strides=2, padding="same")
    one(transpose, small, filters=3, kernel_size=4, strides=2, padding="same", use_bias=False)
    one(transpose, small, filters=2, kernel_size=3, strides=2, padding="same", output_padding=1)
    one(transpose, small, filters=2, kernel_size=3, strides=2, padding="same", output_padding=0)
    one(transpose, small, filters=2, kernel_size=4, strides=3, padding="valid", output_padding=2)
    # TensorFlow on a CPU takes no channels_first convolutions; JAX does
    one(conv, first, filters=3, kernel_size=kernel, data_format="channels_first", only=3)
    one(conv, first, filters=3, kernel_size=3, strides=2, padding="same", data_format="channels_first", only=3)
    one(transpose, (small[-1],) + small[:-1], filters=3, kernel_size=3, strides=2, data_format="channels_first", padding="same", only=3)
    one(transpose, small, filters=3, kernel_size=3, dilation_rate=2, only=3)
    one(transpose, small, filters=3, kernel_size=3, dilation_rate=2, padding="same", only=3)

one("Conv1D", (9, 4), filters=3, kernel_size=3, padding="causal")
one("Conv1D", (9, 4), filters=3, kernel_size=3, padding="causal", dilation_rate=2, activation="sigmoid")
one("Conv1D", (9, 4), filters=3, kernel_size=3, padding="causal", strides=2)
one("Conv1D", (9, 4), filters=4, kernel_size=3, groups=2)
one("Conv2D", (6, 7, 4), filters=6, kernel_size=3, groups=2, padding="same")
one("Conv2D", (6, 7, 4), filters=6, kernel_size=3, groups=2, strides=2)
one("Conv2D", (4, 6, 7), filters=6, kernel_size=3, groups=2, data_format="channels_first", only=3)
one("Conv3D", (5, 6, 4, 4), filters=2, kernel_size=2, groups=2, only=3)
one("Conv2DTranspose", (5, 4, 3), filters=2, kernel_size=(3, 2), strides=(1, 2), padding="same")
one("Conv2DTranspose", (5, 4, 3), filters=2, kernel_size=(1, 5), strides=(2, 2), padding="same", output_padding=(1, 0))
one("Conv2DTranspose", (5, 4, 3), filters=2, kernel_size=3, dilation_rate=2)

for rank in (1, 2):
    depthwise, separable = "DepthwiseConv%dD" % rank, "SeparableConv%dD" % rank
    shape = SHAPES[rank]
    first = (shape[-1],) + shape[:-1]
    one(depthwise, shape, kernel_size=3)
    one(depthwise, shape, kernel_size=2, strides=2, padding="same", depth_multiplier=2, activation="relu")
    one(depthwise, shape, kernel_size=3, dilation_rate=2, padding="same", use_bias=False)
    one(depthwise, first, kernel_size=2, depth_multiplier=2, data_format="channels_first", only=3)
    one(separable, shape, filters=3, kernel_size=3)
    one(separable, shape, filters=3, kernel_size=2, strides=2, padding="same", depth_multiplier=2, activation="relu")
    one(separable, shape, filters=5, kernel_size=3, dilation_rate=2, padding="same", use_bias=False)
    one(separable, first, filters=5, kernel_size=3, data_format="channels_first", only=3)
one("SeparableConv1D", (9, 4), filters=3, kernel_size=3, padding="causal", only=2)

for cls in ("Conv2D", "Conv2DTranspose", "SeparableConv2D"):
    one(cls, (4, 6, 7), filters=5, kernel_size=3, activation="softmax", data_format="channels_first", only=3)
