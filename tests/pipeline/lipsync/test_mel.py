"""The mel spectrogram: silence, tones, time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lipsync import mel_spectrogram, mel_window
from pipeline.lipsync.mel import _filters, _hertz, _mels


def tone(hertz: float, seconds: float = 1.0, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(int(16_000 * seconds)) / 16_000)).astype(np.float32)


def test_silence_is_the_floor() -> None:
    spectrogram = mel_spectrogram(np.zeros(16_000, np.float32))
    assert spectrogram.shape == (80, 81)
    assert (spectrogram == -4).all()


@pytest.mark.parametrize("hertz", [200.0, 1000.0, 3000.0, 7000.0])
def test_a_tone_is_loudest_in_the_band_about_it(hertz: float) -> None:
    band = int(mel_spectrogram(tone(hertz))[:, 40].argmax())
    middles = _hertz(np.linspace(_mels(55), _mels(7600), 82))[1:-1]
    assert abs(band - int(np.abs(middles - hertz).argmin())) <= 1


def test_a_known_tone_has_the_loudness_worked_out_by_hand() -> None:
    # A sine of amplitude a in the middle of a bin: |FFT| = a * 800 / 4 = 200 a with the Hann window, half of it in
    # each neighbour; pre-emphasis takes it times |1 - .97 exp(-i w)|.
    hertz, amplitude = 1000.0, 0.1
    emphasis = abs(1 - 0.97 * np.exp(-2j * np.pi * hertz / 16_000))
    spectrum = np.zeros(401)
    spectrum[49:52] = 200 * amplitude * emphasis * np.array([0.5, 1, 0.5])
    decibels = 20 * np.log10(np.maximum(_filters() @ spectrum, 1e-5)) - 20
    expected = np.clip(8 * (decibels + 100) / 100 - 4, -4, 4)
    loud = expected > -2
    assert loud.any()
    assert mel_spectrogram(tone(hertz, amplitude=amplitude))[loud, 40] == pytest.approx(expected[loud], abs=0.02)


def test_ten_times_the_amplitude_are_twenty_decibels() -> None:
    soft, loud = (mel_spectrogram(tone(1000, amplitude=a))[:, 40].max() for a in (0.05, 0.5))
    assert loud - soft == pytest.approx(20 * 8 / 100, abs=1e-4)


def test_bands_are_triangles_of_equal_area() -> None:
    edges = _hertz(np.linspace(_mels(55), _mels(7600), 82))
    filters = _filters()
    assert filters.shape == (80, 401)
    assert filters[70:].sum(axis=1) * 20 == pytest.approx(1, abs=0.02)
    assert edges[0] == pytest.approx(55)
    assert edges[-1] == pytest.approx(7600)


@given(st.floats(1, 7900))
def test_mels_and_hertz_are_each_others_inverse(hertz: float) -> None:
    assert _hertz(np.array([_mels(hertz)]))[0] == pytest.approx(hertz)


@pytest.mark.parametrize(("frame", "start"), [(0, 0), (1, 3), (5, 16), (25, 80), (1000, 145)])
def test_a_frame_hears_the_fifth_of_a_second_that_follows(frame: int, start: int) -> None:
    spectrogram = np.tile(np.arange(161, dtype=np.float32), (80, 1))
    window = mel_window(spectrogram, frame, rate=25)
    assert window.shape == (80, 16)
    assert window[0, 0] == start


@pytest.mark.parametrize("samples", [np.zeros(400, np.float32), np.zeros((900, 2), np.float32), np.full(900, np.nan)])
def test_what_is_no_speech_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(ValueError, match="400 finite samples"):
        mel_spectrogram(samples)


def test_speech_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="fifth of a second"):
        mel_window(mel_spectrogram(np.zeros(2000, np.float32)), 0, 25)
