"""Spectrograms of sound, as convolutions with the waves that the file holds."""

from __future__ import annotations

from typing import Any

from webkeras import ops
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.layout import to_last
from webkeras.layers.read import boolean, data_format, one_of, optional, whole
from webkeras.shapes import Shape, padding

EPSILON = 1e-7  # keras.config.epsilon()


@layer("STFTSpectrogram")
class STFTSpectrogram(Layer):
    """Short-time Fourier transform: x (n, t, c) -> (n, frames, c * bins), or with expand_dims (n, frames, bins, c).

    A frame's window is in the kernels, (frame_length, 1, bins). Mode "angle" is not there: no scalar is an arc tangent.
    Source: keras/src/layers/preprocessing/stft_spectrogram.py
    """

    mode = key(one_of("log", "magnitude", "psd", "real", "imag", "stft"), "log")
    frame_length = key(whole, 256)
    frame_step = key(optional(whole), None)
    fft_length = key(optional(whole), None)
    padding = key(one_of("valid", "same"), "valid")
    expand_dims = key(boolean, False)
    data_format = key(data_format, "channels_last")
    training = ("window", "periodic", "scaling")  # the kernels are weights

    def build(self, x: Shape) -> dict[str, Shape]:
        length = self.fft_length or 1 << (self.frame_length - 1).bit_length()
        names = ["real_kernel"] * (self.mode != "imag") + ["imag_kernel"] * (self.mode != "real")
        return dict.fromkeys(names, (self.frame_length, 1, length // 2 + 1))

    def call(self, x: Any) -> Any:
        x = to_last(x) if self.data_format == "channels_first" else x
        n, t, c = x.shape
        rows = ops.reshape(ops.transpose(x, perm=(0, 2, 1)), shape=(n * c, t, 1))
        step = (self.frame_step or self.frame_length // 2,)
        pads = padding(self.padding, (t,), (self.frame_length,), step, (1,))
        kernels = [getattr(self, name) for name in self.build(x.shape)]
        parts = [ops.conv(rows, kernel, strides=step, pads=pads) for kernel in kernels]
        y = self.shown(parts)
        return self.arranged(ops.reshape(y, shape=(n, c, *y.shape[1:])))

    def shown(self, parts: list[Any]) -> Any:
        """What the mode makes of the real and imaginary parts, (n c, frames, bins)."""
        if self.mode in ("real", "imag", "stft"):
            return ops.concat(*parts, axis=2) if len(parts) > 1 else parts[0]
        power = ops.add(parts[0] * parts[0], parts[1] * parts[1])
        if self.mode == "psd":
            return ops.multiply(power, [1.0, *[2.0] * (power.shape[2] - 2), 1.0])
        y = ops.sqrt(ops.maximum(power, EPSILON))
        return y if self.mode == "magnitude" else ops.log(ops.maximum(y, EPSILON))

    def arranged(self, y: Any) -> Any:
        """(n, c, frames, bins) as data_format and expand_dims have it."""
        n, c, frames, bins = y.shape
        if self.data_format == "channels_first":
            if self.expand_dims:
                return y
            return ops.reshape(ops.transpose(y, perm=(0, 1, 3, 2)), shape=(n, c * bins, frames))
        if self.expand_dims:
            return ops.transpose(y, perm=(0, 2, 3, 1))
        return ops.reshape(ops.transpose(y, perm=(0, 2, 1, 3)), shape=(n, frames, c * bins))
