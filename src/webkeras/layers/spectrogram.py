"""Spectrograms of sound, as convolutions with the waves that the file holds."""

from __future__ import annotations

import math
from typing import Any

from webkeras import ops
from webkeras.errors import ShapeError
from webkeras.graph import value
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.layout import to_last
from webkeras.layers.read import boolean, data_format, one_of, optional, whole
from webkeras.shapes import Shape, padding

EPSILON = 1e-7  # keras.config.epsilon()


@layer("STFTSpectrogram")
class STFTSpectrogram(Layer):
    """Short-time Fourier transform: x (n, t, c) -> (n, frames, c * bins), or with expand_dims (n, frames, bins, c).

    A frame's window is in the kernels, (frame_length, 1, bins).
    Source: keras/src/layers/preprocessing/stft_spectrogram.py
    """

    mode = key(one_of("log", "magnitude", "psd", "real", "imag", "angle", "stft"), "log")
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
        if self.mode == "angle":
            return angle(parts[1], parts[0])
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


#: atan(t) / t - 1 in powers of t^2, |t| <= tan(pi / 8); Moshier, Cephes, single/atanf.c
ATAN = (8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1)


def angle(y: Any, x: Any) -> Any:
    """The angle of (x, y), from -pi to pi, within 3e-7; 0 where both are 0.

    Source: numpy.arctan2
    """
    across, up = ops.absolute(x), ops.absolute(y)
    longer = ops.maximum(across, up)
    t = ops.divide(ops.minimum(across, up), ops.where(ops.equal(longer, 0.0), 1.0, longer))
    steep = ops.less(math.tan(math.pi / 8), t)
    t = ops.where(steep, ops.divide(ops.subtract(t, 1.0), ops.add(t, 1.0)), t)
    square, series = ops.multiply(t, t), ops.multiply(t, 0.0)
    for factor in ATAN:
        series = ops.multiply(ops.add(series, factor), square)
    found = ops.add(ops.multiply(t, ops.add(series, 1.0)), ops.multiply(steep, math.pi / 4))
    found = ops.where(ops.less(across, up), ops.subtract(math.pi / 2, found), found)
    found = ops.where(ops.less(x, 0.0), ops.subtract(math.pi, found), found)
    return ops.where(ops.less(y, 0.0), ops.negative(found), found)


WINDOWS = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46), None: (1.0, 0.0)}  # a - b cos(2 pi i / n)


def mel(hertz: float) -> float:
    return 1127.0 * math.log(1.0 + hertz / 700.0)


def triangles(bins: int, mels: int, nyquist: float, low: float, high: float) -> list[list[float]]:
    """How much of every frequency is in each of the bands, whose edges are evenly spaced in mel.

    Source: keras/src/layers/preprocessing/mel_spectrogram.py:linear_to_mel_weight_matrix
    """
    step = (mel(high) - mel(low)) / (mels + 1)
    edges = [mel(low) + i * step for i in range(mels + 2)]
    rows = [[0.0] * mels]
    for i in range(1, bins):
        f = mel(i * nyquist / (bins - 1))
        rows.append([max(0.0, min(f - edges[j], edges[j + 2] - f) / step) for j in range(mels)])
    return rows


@layer("MelSpectrogram")
class MelSpectrogram(Layer):
    """How loud every mel band is, frame by frame: x (n, t) -> (n, num_mel_bins, frames).

    Frames are centred, the ends mirrored; the loudest of the whole batch bounds the quietest, top_db below it. The
    waves are computed by the backend, once: they are too many to be numbers in Python's hands.
    Source: keras/src/layers/preprocessing/mel_spectrogram.py
    """

    fft_length = key(whole, 2048)
    sequence_stride = key(whole, 512)
    sequence_length = key(optional(whole), None)
    window = key(one_of(*WINDOWS), "hann")
    sampling_rate = key(float, 16000)
    num_mel_bins = key(whole, 128)
    min_freq = key(float, 20.0)
    max_freq = key(optional(float), None)
    power_to_db = key(boolean, True)
    top_db = key(float, 80.0)
    mag_exp = key(float, 2.0)
    min_power = key(float, 1e-10)
    ref_power = key(float, 1.0)

    def call(self, x: Any) -> Any:
        if len(x.shape) != 2:
            raise ShapeError(f"the input is {tuple(x.shape)}; expected (batch, time)")
        (n, t), size, bins = x.shape, self.fft_length, self.fft_length // 2 + 1
        edge = size // 2
        if t <= edge:
            raise ShapeError(f"{t} steps cannot be mirrored {edge} steps far; expected more, or a smaller fft_length")
        places = [*range(edge, 0, -1), *range(t), *range(t - 2, t - 2 - edge, -1)]
        rows = ops.reshape(ops.take(x, list(map(float, places)), axis=1), shape=(n, t + 2 * edge, 1))
        parts = [ops.conv(rows, wave, strides=(self.sequence_stride,), pads=((0, 0),)) for wave in self.waves()]
        power = ops.add(parts[0] * parts[0], parts[1] * parts[1])
        loud = power if self.mag_exp == 2 else ops.power(power, self.mag_exp / 2)
        nyquist = self.sampling_rate / 2
        high = self.max_freq or float(int(nyquist))
        bands = value(triangles(bins, self.num_mel_bins, nyquist, self.min_freq, high))
        y = ops.transpose(ops.matmul(loud, bands), perm=(0, 2, 1))
        return self.decibels(y) if self.power_to_db else y

    def waves(self) -> tuple[Any, Any]:
        """Cosines and sines of every frequency under the window, (fft_length, 1, bins)."""
        size, length = self.fft_length, self.sequence_length or self.fft_length
        a, b = WINDOWS[self.window]
        before = (size - length) // 2
        window = [a - b * math.cos(2 * math.pi * i / length) for i in range(length)]
        full = [0.0] * before + window + [0.0] * (size - length - before)
        steps = value([[[float(i)]] for i in range(size)])
        turns = ops.multiply(steps, value([[[i / size for i in range(size // 2 + 1)]]]))
        angle = ops.multiply(ops.subtract(turns, ops.floor(turns)), 2 * math.pi)
        window_ = value([[[w]] for w in full])
        return ops.multiply(ops.cos(angle), window_), ops.multiply(ops.sin(angle), window_)

    def decibels(self, y: Any) -> Any:
        """10 log10, above the reference."""
        tens = 10 / math.log(10)
        reference = tens * math.log(max(abs(self.ref_power), self.min_power))
        y = ops.subtract(ops.multiply(ops.log(ops.maximum(y, self.min_power)), tens), reference)
        return ops.maximum(y, ops.subtract(ops.reduce(y, fn="max", axes=(0, 1, 2)), self.top_db))
