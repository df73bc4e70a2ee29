"""Spectrograms."""

from make_layers import one

MEL = {"fft_length": 16, "sequence_stride": 6, "sampling_rate": 800, "num_mel_bins": 5, "only": 3}
SMALL = {"frame_length": 6, "frame_step": 2, "only": 3}
for mode in ("log", "magnitude", "psd", "real", "imag", "angle", "stft"):
    one("STFTSpectrogram", (20, 2), mode=mode, **SMALL)
one("STFTSpectrogram", (20, 2), fft_length=16, padding="same", expand_dims=True, **SMALL)
one("STFTSpectrogram", (2, 20), data_format="channels_first", **SMALL)
one("STFTSpectrogram", (2, 20), data_format="channels_first", expand_dims=True, mode="psd", **SMALL)
one("STFTSpectrogram", (20, 1), frame_length=8, mode="magnitude", only=3)
one("MelSpectrogram", (40,), **MEL)
one("MelSpectrogram", (40,), sequence_length=12, window="hamming", min_freq=50.0, max_freq=300.0, **MEL)
one("MelSpectrogram", (40,), power_to_db=False, mag_exp=1.0, **MEL)
one("MelSpectrogram", (40,), top_db=10.0, ref_power=2.0, **MEL)
