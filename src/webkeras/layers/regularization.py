"""Layers that act in training only: at inference each is the identity, and their keys say nothing."""

from __future__ import annotations

from typing import Any

from webkeras.errors import ShapeError
from webkeras.layers.base import Layer, layer


class Noise(Layer):
    """x, mask and all."""

    mask = "pass"
    training = tuple("data_format dim_ordering drop_path_rate l1 l2 noise_shape p rate seed sigma stddev".split())

    def call(self, x: Any) -> Any:
        return x


class Augmentation(Layer):
    """x: images are changed in training only.

    Raises ShapeError where boxes or labels come beside the images.
    """

    training = tuple(
        "addition_factor all_ops alpha bins brightness_factor chain_depth contrast_factor data_format factor fill_mode "
        "fill_value height_factor hue_factor interpolation kernel_size mode num_chains num_cutouts num_ops "
        "saturation_factor scale seed sigma threshold_factor value_range width_factor x_factor y_factor".split()
    )

    def call(self, x: Any) -> Any:
        if isinstance(x, dict):
            raise ShapeError(f"the input is a dict of {', '.join(sorted(x))}; expected images alone")
        return x


NAMES = {
    Noise: "Dropout AlphaDropout GaussianDropout GaussianNoise SpatialDropout1D SpatialDropout2D SpatialDropout3D "
    "ActivityRegularization StochasticDepth",
    Augmentation: "AugMix CutMix Equalization MixUp RandAugment RandomBrightness RandomColorDegeneration "
    "RandomColorJitter RandomContrast RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur "
    "RandomGrayscale RandomHeight RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation "
    "RandomSaturation RandomSharpness RandomShear RandomTranslation RandomWidth RandomZoom Solarization",
}
for base, names in NAMES.items():
    for name in names.split():  # a class each, so that messages have Keras' names
        layer(name)(type(name, (base,), {"__doc__": base.__doc__}))
