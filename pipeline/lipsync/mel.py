"""The mel spectrogram that Wav2Lip listens to (Rudrabha/Wav2Lip, audio.py and hparams.py)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.faces import Floats

SAMPLE_RATE: Final = 16_000
BANDS: Final = 80
STEPS: Final = 16
"""Spectrogram steps in one window."""

_EMPHASIS = 0.97
_WINDOW = 800  # samples, also the length of the transform
_HOP = 200
FRAMES_PER_SECOND: Final = SAMPLE_RATE / _HOP
"""Spectrogram steps in a second."""

_LOW, _HIGH = 55.0, 7600.0  # Hz
_FLOOR = 1e-5  # amplitude: -100 dB
_REFERENCE = 20.0  # dB
_RANGE = 4.0  # -100 dB become -4, 0 dB become 4


def mel_spectrogram(samples: Floats) -> Floats:
    """Return the normalised mel spectrogram, float32 (80, steps) in -4..4, 80 steps a second.

    `samples` are 16 kHz mono, float32 (n,) in -1..1, n at least 401. Raises ValueError for anything else.
    """
    if samples.ndim != 1 or len(samples) <= _WINDOW // 2 or not np.isfinite(samples).all():
        raise ValueError("speech is more than 400 finite samples of one channel")
    sharp = np.asarray(samples, np.float64)
    sharp = np.concatenate([sharp[:1], sharp[1:] - _EMPHASIS * sharp[:-1]])
    padded = np.pad(sharp, _WINDOW // 2, mode="reflect")
    pieces = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    loudness = np.abs(np.fft.rfft(pieces * hann, axis=1)) @ _filters().T
    decibels = 20 * np.log10(np.maximum(loudness, _FLOOR)) - _REFERENCE
    scaled = 2 * _RANGE * (decibels + 100) / 100 - _RANGE
    return np.clip(scaled, -_RANGE, _RANGE).T.astype(np.float32)


def mel_window(spectrogram: Floats, frame: int, rate: float) -> Floats:
    """Return what is heard from a video frame on, float32 (80, 16); `rate` is frames a second.

    After the end of the speech the last window stays. Raises ValueError where the speech is shorter than a window.
    """
    if spectrogram.shape[0] != BANDS or spectrogram.shape[1] < STEPS:
        raise ValueError("speech must last a fifth of a second")
    start = min(int(frame * FRAMES_PER_SECOND / rate), spectrogram.shape[1] - STEPS)
    return spectrogram[:, start : start + STEPS]


@lru_cache(maxsize=1)
def _filters() -> NDArray[np.float64]:
    """Triangles of equal area over the spectrum, float64 (80, 401), on Slaney's mel scale (Auditory Toolbox, 1998)."""
    edges = _hertz(np.linspace(_mels(_LOW), _mels(_HIGH), BANDS + 2))
    bins = np.arange(_WINDOW // 2 + 1) * SAMPLE_RATE / _WINDOW
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.asarray(np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low))


# Slaney's scale: linear to 1000 Hz, 15 mels there; from then on 27 mels for a factor of 6.4.
_LINEAR = 200 / 3
_LOG_STEP = np.log(6.4) / 27


def _mels(hertz: float) -> float:
    return float(hertz / _LINEAR if hertz < 1000 else 15 + np.log(hertz / 1000) / _LOG_STEP)


def _hertz(mels: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.where(mels < 15, mels * _LINEAR, 1000 * np.exp(_LOG_STEP * (mels - 15))), np.float64)
