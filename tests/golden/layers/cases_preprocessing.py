"""Preprocessing of numbers and images, and the augmentations that do nothing at inference."""

import numpy as np
from make_layers import keras, model, one

THREE = keras.__version__ >= "3"

one("Rescaling", (4, 3), scale=0.25)
one("Rescaling", (4, 3), scale=1 / 127.5, offset=-1.0)
one("Rescaling", (4, 4, 3), scale=[0.5, 0.25, 2.0], offset=[1.0, 0.0, -1.0])
one("Normalization", (4, 3), mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 0.25])
one("Normalization", (4, 3), axis=None, mean=2.0, variance=4.0)
one("Normalization", (4, 3), axis=1, mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 4.0, 0.25, 2.0])
one("Normalization", (4, 3), mean=1.0, variance=2.0, invert=True)


@model("Normalization", "adapted", (4, 3))
def adapted(L, x):
    layer = L.Normalization()
    layer.adapt(np.arange(24, dtype="float32").reshape(2, 4, 3) ** 2)
    return layer(x)


for mode in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
    one("Resizing", (5, 6, 2), height=7, width=9, interpolation=mode)
    one("Resizing", (5, 6, 2), height=3, width=4, interpolation=mode)
for mode in ("area", "gaussian", "mitchellcubic"):
    one("Resizing", (5, 6, 2), height=7, width=4, interpolation=mode, only=2)
for mode in ("bilinear", "bicubic", "lanczos3", "lanczos5"):
    one("Resizing", (5, 6, 2), height=3, width=7, interpolation=mode, antialias=True, only=3)
one("Resizing", (5, 8, 2), height=6, width=5, crop_to_aspect_ratio=True)
one("Resizing", (5, 8, 2), height=6, width=5, pad_to_aspect_ratio=True, fill_value=0.5, only=3)
one("Resizing", (8, 5, 2), height=3, width=4, pad_to_aspect_ratio=True, only=3)
one("Resizing", (2, 5, 6), height=3, width=8, data_format="channels_first", only=3)
one("CenterCrop", (5, 8, 2), height=3, width=5)
one("CenterCrop", (6, 7, 2), height=3, width=2)
one("CenterCrop", (4, 3, 2), height=6, width=5)
one("RandomCrop", (6, 7, 2), height=3, width=2)
one("CategoryEncoding", (3,), num_tokens=5, ints=5)
one("CategoryEncoding", (3,), num_tokens=5, output_mode="count", ints=5)
one("CategoryEncoding", (1,), num_tokens=5, output_mode="one_hot", ints=5)
one("CategoryEncoding", (3,), num_tokens=5, output_mode="one_hot", ints=5, only=3)


@model("CategoryEncoding", "weights", (3,), (3,), feed=lambda r: [
    r.randint(0, 4, (2, 3)).astype("float32"),
    (np.round(r.normal(size=(2, 3)) * 64) / 64).astype("float32"),
])
def weights(L, x, w):
    return L.CategoryEncoding(4, output_mode="count")(x, count_weights=w)


one("Discretization", (4,), bin_boundaries=[-1.0, 0.0, 0.5], feed=lambda r: [
    np.array([[-2, -1, 0, 0.25], [0.5, 0.75, -0.5, 9]], "float32")
])
one("Discretization", (3,), bin_boundaries=[-1.0, 0.0, 0.5], output_mode="count")
one("Discretization", (1,), bin_boundaries=[-1.0, 0.0, 0.5], output_mode="one_hot")
one("Discretization", (3,), bin_boundaries=[-1.0, 0.0, 0.5], output_mode="multi_hot")
words = [3, 5, 8]
LOOK = {"only": 2 if not THREE else None if keras.backend.backend() == "tensorflow" else 0}
one("IntegerLookup", (4,), vocabulary=words, ints=10, **LOOK)
one("IntegerLookup", (4,), vocabulary=words, num_oov_indices=0, feed=lambda r: [r.choice(words, (2, 4)).astype("float32")], **LOOK)
one("IntegerLookup", (4,), vocabulary=words, num_oov_indices=3, ints=10, **LOOK)
one("IntegerLookup", (4,), vocabulary=words, mask_token=0, ints=10, **LOOK)
one("IntegerLookup", (4,), vocabulary=words, output_mode="multi_hot", ints=10, **LOOK)
one("IntegerLookup", (4,), vocabulary=words, mask_token=0, output_mode="count", ints=4, **LOOK)
one("IntegerLookup", (1,), vocabulary=words, output_mode="one_hot", ints=10, **LOOK)
one("IntegerLookup", (4,), vocabulary=words, invert=True, ints=4, **LOOK)
one("IntegerLookup", (4,), vocabulary=words, mask_token=0, num_oov_indices=2, invert=True, ints=6, **LOOK)
image = (4, 5, 3)
one("RandomBrightness", image, factor=0.2)
one("RandomContrast", image, factor=0.2)
one("RandomFlip", image)
one("RandomHeight", image, factor=0.2)
one("RandomRotation", image, factor=0.2)
one("RandomTranslation", image, height_factor=0.2, width_factor=0.2)
one("RandomWidth", image, factor=0.2)
one("RandomZoom", image, height_factor=0.2)
for name in "ColorDegeneration GaussianBlur Grayscale Hue Invert Perspective Posterization Saturation Sharpness Shear".split():
    own = {"Posterization": {"factor": 4}, "Hue": {"factor": 0.2}, "Saturation": {"factor": 0.2}, "Sharpness": {"factor": 0.2}}
    one("Random" + name, image, only=3, **dict(own.get(name, {}), **({"factor": 0.2} if name == "ColorDegeneration" else {})))
one("RandomColorJitter", image, only=3)
for name in ("AugMix", "CutMix", "MixUp", "RandAugment"):
    one(name, image, only=3)


@model("Pipeline", "three", image, only=3)
def pipeline(L, x):
    return L.Pipeline([L.Rescaling(0.5), L.RandomFlip(), L.CenterCrop(2, 3)])(x)


one("RandomElasticTransform", image, only=3)
one("RandomErasing", image, only=3)

GREY = lambda *shape: lambda r: [np.round(r.uniform(0, 255, (2,) + shape) ** 1.5 / 16).astype("float32")]  # noqa: E731


def stretch(r):
    x = GREY(6, 7, 3)(r)[0]
    x[1, :, :, 2] = 17
    return [x]


one("AutoContrast", (6, 7, 3), only=3, feed=stretch)
one("AutoContrast", (4, 5, 1), value_range=(0, 1), only=3)
one("Solarization", (4, 5, 3), addition_factor=0.5, threshold_factor=0.25, only=3)
one("MaxNumBoundingBoxes", (4, 5, 3), max_number=3, only=3)
CLAHE = "ContrastLimitedAdaptiveHistogramEqualization"
one(CLAHE, (16, 16, 3), only=3, feed=GREY(16, 16, 3))
one(CLAHE, (11, 14, 2), only=3, tile_grid_size=(3, 4), clip_limit=2.5, feed=GREY(11, 14, 2))
one(CLAHE, (9, 6, 1), only=3, tile_grid_size=(2, 2), clip_limit=0, value_range=(0, 1), feed=lambda r: [r.uniform(-0.1, 1.1, (2, 9, 6, 1)).astype("float32")])
one(CLAHE, (2, 9, 8), only=3, tile_grid_size=(2, 3), data_format="channels_first", feed=GREY(2, 9, 8))


@model("Rescaling", "masked", (4, 3), feed=lambda r: [np.round(r.normal(size=(2, 4, 3)) * 4) / 4 * [[[1], [1], [0], [0]]]])
def rescaled_mask(L, x):
    y = L.Rescaling(0.5, offset=1.0)(L.Masking(0.0)(x))
    return [L.GlobalAveragePooling1D()(y), L.GlobalAveragePooling1D()(L.Normalization(mean=0.25, variance=4.0)(L.Masking(0.0)(x)))]
