"""Spectrograms."""

from make_layers import one

SMALL = {"frame_length": 6, "frame_step": 2, "only": 3}
for mode in ("log", "magnitude", "psd", "real", "imag", "stft"):
    one("STFTSpectrogram", (20, 2), mode=mode, **SMALL)
one("STFTSpectrogram", (20, 2), fft_length=16, padding="same", expand_dims=True, **SMALL)
one("STFTSpectrogram", (2, 20), data_format="channels_first", **SMALL)
one("STFTSpectrogram", (2, 20), data_format="channels_first", expand_dims=True, mode="psd", **SMALL)
one("STFTSpectrogram", (20, 1), frame_length=8, mode="magnitude", only=3)
