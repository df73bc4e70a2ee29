"""What the Keras 2 goldens hold: {class name: rows}; a row is the shapes of one sample's inputs, and options.

Sizes are odd on purpose: 1, 3, 4, 5, 7, 13 channels; 1, 3, 7, 8, 9, 17 pixels.
"""


def row(*shapes, values=None, **options):
    """Return (options, input shapes, input values); without values the inputs are random."""
    return options, list(shapes), values


def with_filters(rows, counts=(1, 3, 4, 5, 7, 13)):
    return [row(*shapes, filters=counts[i % len(counts)], **options) for i, (options, shapes, _) in enumerate(rows)]


FIRST = {"data_format": "channels_first"}
EDGES = [-100, -89, -20, -6, -3, -2.5, -1, -0.5, -1 / 64, 0, 1 / 64, 0.5, 1, 2.5, 3, 6, 5.984375, 20, 100]
CONV = [
    row((1, 1, 1), kernel_size=1),
    row((7, 8, 13), kernel_size=1),
    row((3, 3, 4), kernel_size=3),
    row((9, 17, 3), kernel_size=3),
    row((7, 9, 5), kernel_size=3, padding="same"),
    row((1, 1, 7), kernel_size=3, padding="same", use_bias=False),
    row((8, 7, 1), kernel_size=(2, 5), padding="same", activation="relu"),
    row((3, 17, 4), kernel_size=(1, 7)),
    row((17, 3, 3), kernel_size=(4, 2), padding="same"),
    row((9, 8, 4), kernel_size=3, strides=2),
    row((9, 8, 5), kernel_size=3, strides=2, padding="same"),
    row((8, 17, 3), kernel_size=3, strides=2, padding="same", activation="tanh"),
    row((17, 9, 1), kernel_size=2, strides=3),
    row((7, 7, 4), kernel_size=1, strides=2, padding="same"),
    row((8, 9, 7), kernel_size=5, strides=3, padding="same"),
    row((9, 9, 3), kernel_size=3, dilation_rate=2),
    row((8, 7, 4), kernel_size=3, dilation_rate=2, padding="same"),
    row((3, 17, 1), kernel_size=3, dilation_rate=3, padding="same"),
]
CONV += [  # the first numbers are the channels now
    row((5, 7, 9), kernel_size=3, padding="same", **FIRST),
    row((4, 9, 8), kernel_size=(3, 2), strides=2, **FIRST),
    row((3, 8, 7), kernel_size=3, strides=2, padding="same", **FIRST),
    row((1, 9, 9), kernel_size=3, dilation_rate=2, **FIRST),
]
POOL = [
    row((7, 8, 5)),
    row((1, 1, 3), pool_size=2, padding="same"),
    row((9, 17, 4), pool_size=3, strides=2),
    row((9, 8, 13), pool_size=3, strides=2, padding="same"),
    row((7, 9, 3), pool_size=(2, 3), strides=1, padding="same"),
    row((8, 3, 1), pool_size=(3, 1)),
    row((3, 17, 7), pool_size=2, strides=(1, 3)),
    row((8, 9, 4), pool_size=5, strides=3, padding="same"),
    row((8, 8, 4), pool_size=2, strides=3),
    row((5, 7, 8), pool_size=2, **FIRST),
    row((3, 9, 8), pool_size=3, strides=2, padding="same", **FIRST),
]
GLOBAL = [
    row((7, 9, 5)),
    row((1, 1, 13)),
    row((17, 3, 4)),
    row((3, 7, 8), **FIRST),
    row((8, 7, 3), keepdims=True),
    row((4, 3, 9), keepdims=True, **FIRST),
]
MERGE = [
    row((5,), (5,)),
    row((7, 9, 4), (7, 9, 4)),
    row((3, 8, 13), (3, 8, 13), (3, 8, 13)),
    row((1, 1, 7), (3, 17, 7)),
    row((8, 3), (8, 1)),
    row((1,), (9, 3, 5)),
    row((17, 1, 1), (17, 1, 1), (17, 1, 1), (17, 1, 1)),
]


def table(activations):
    """Return {class name: rows}; `activations` are the names that this Keras knows."""
    return {
        "Dense": [
            row((1,), units=1),
            row((3,), units=13),
            row((17,), units=4, use_bias=False),
            row((8, 5), units=7),
            row((3, 7, 13), units=3),
            row((9,), units=5, activation="softmax"),
            row((7, 4), units=9, activation="softmax"),
        ]
        + [row((7,), units=5, activation=a) for a in activations],
        "Activation": [
            row(s, activation=a, values=EDGES[:-1] if a == "exponential" else EDGES)
            for a in activations
            for s in ((19,), (3, 7, 5))
        ]
        + [row(s, activation="softmax") for s in ((1,), (17,), (9, 4), (3, 7, 13), (7, 8, 1))],
        "Dropout": [row((5,), rate=0.5), row((7, 9, 3), rate=0.25), row((8, 4), rate=0.1, noise_shape=(None, 1, 4))],
        "Flatten": [
            row((1,)),
            row((7, 5)),
            row((3, 8, 13)),
            row((9, 17, 1)),
            row((1, 1, 7)),
            row((5, 7, 3), **FIRST),
            row((4, 9), **FIRST),
        ],
        "Reshape": [
            row((15,), target_shape=(5, 3)),
            row((7, 3, 4), target_shape=(-1,)),
            row((9, 7), target_shape=(3, -1)),
            row((13, 8), target_shape=(-1, 2, 13)),
            row((17,), target_shape=(1, 1, 17)),
            row((9, 8), target_shape=(8, 9, 1)),
            row((4, 7, 5), target_shape=(7, 4, -1, 1)),
        ],
        "Conv2D": with_filters(CONV)
        + (
            [
                row((7, 9, 4), filters=4, kernel_size=3, groups=2),
                row((8, 3, 3), filters=9, kernel_size=3, groups=3, padding="same"),
                row((9, 9, 5), filters=10, kernel_size=2, groups=5, strides=2, activation="relu"),
                row((3, 17, 7), filters=14, kernel_size=1, groups=7, use_bias=False),
                row((7, 9, 3), filters=5, kernel_size=3, strides=(1, 2)),
                row((8, 8, 4), filters=3, kernel_size=3, strides=(3, 1), padding="same"),
                row((9, 3, 5), filters=7, kernel_size=3, dilation_rate=(2, 1)),
                row((3, 17, 1), filters=4, kernel_size=(2, 3), dilation_rate=(1, 3), padding="same"),
                row((7, 8, 26), filters=6, kernel_size=3, groups=2, dilation_rate=2, padding="same"),
                row((9, 7, 8), filters=6, kernel_size=3, groups=3, **FIRST),
            ]
            + [row((3, 4, 3), filters=5, kernel_size=2, activation=a) for a in activations]
        ),
        "SeparableConv2D": with_filters(
            [
                *CONV,
                row((7, 9, 3), kernel_size=3, depth_multiplier=2),
                row((8, 3, 5), kernel_size=3, depth_multiplier=3, padding="same"),
                row((9, 9, 1), kernel_size=2, depth_multiplier=4, strides=2, activation="relu"),
            ]
        ),
        "DepthwiseConv2D": [
            *CONV,
            row((7, 9, 3), kernel_size=3, depth_multiplier=2),
            row((8, 3, 5), kernel_size=3, depth_multiplier=3, padding="same"),
            row((9, 9, 1), kernel_size=2, depth_multiplier=5, strides=2, activation="relu"),
            row((3, 17, 13), kernel_size=3, depth_multiplier=4, use_bias=False),
        ],
        "BatchNormalization": [
            row((13,)),
            row((7, 9, 5)),
            row((1, 17, 3), epsilon=0.1),
            row((3, 8, 4), scale=False),
            row((8, 7, 1), center=False),
            row((7, 7, 7), scale=False, center=False),
            row((5, 3, 9), axis=1),
            row((3, 5, 8), axis=2),
            row((7, 3, 13), axis=3),
            row((17, 4), axis=1),
            row((9, 5)),
            row((3, 7, 4), axis=-2),
            row((3, 8, 5), axis=[1, 3]),
        ],
        "MaxPooling2D": POOL,
        "AveragePooling2D": POOL,
        "GlobalMaxPooling2D": GLOBAL,
        "GlobalAveragePooling2D": GLOBAL,
        "Add": MERGE,
        "Concatenate": [
            row((5,), (3,)),
            row((7, 9, 4), (7, 9, 8)),
            row((3, 8, 13), (3, 8, 1), (3, 8, 5)),
            row((1, 17, 3), (1, 17, 7), axis=3),
            row((7, 8, 5), (3, 8, 5), axis=1),
            row((3, 9, 4), (3, 7, 4), (3, 1, 4), axis=2),
            row((8, 17, 3), (8, 3, 3), axis=-2),
            row((9, 7), (1, 7), axis=1),
            row((1, 1, 1), (1, 1, 4), axis=-1),
            row((1, 7, 13), (4, 7, 13), axis=-3),
        ],
        "ZeroPadding2D": [
            row((7, 9, 5)),
            row((1, 1, 4), padding=3),
            row((3, 8, 13), padding=(0, 2)),
            row((7, 17, 3), padding=((1, 2), (3, 0))),
            row((8, 8, 7), padding=((0, 1), (0, 1))),
            row((9, 3, 1), padding=((0, 0), (0, 9))),
            row((5, 7, 8), padding=((2, 0), (1, 3)), **FIRST),
        ],
        "ReLU": [
            row((3, 7, 5), values=EDGES),
            row((3, 7, 5), max_value=6.0, values=EDGES),
            row((3, 7, 5), negative_slope=0.25, values=EDGES),
            row((3, 7, 5), threshold=1.0, values=EDGES),
            row((3, 7, 5), max_value=0.0, values=EDGES),
            row((3, 7, 5), max_value=6.0, negative_slope=0.5, values=EDGES),
            row((3, 7, 5), max_value=3.0, negative_slope=0.25, threshold=0.5, values=EDGES),
            row((13,)),
            row((8, 17, 4), max_value=1.0),
        ],
        "Softmax": [
            row((17,)),
            row((7, 4)),
            row((3, 9), axis=1),
            row((8, 3, 5), axis=1),
            row((7, 9, 13), axis=2),
            row((3, 1, 1), axis=-1),
            row((5, 7, 4), axis=-2),
            row((3, 8, 7), axis=[1, 2]),
        ],
    }
