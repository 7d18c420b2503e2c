"""Lip sync: speech moves the mouth of the target before anything else is drawn."""

from pipeline.lipsync.mel import FRAMES_PER_SECOND, SAMPLE_RATE, mel_spectrogram, mel_window
from pipeline.lipsync.wav2lip import Wav2LipStage

__all__ = ["FRAMES_PER_SECOND", "SAMPLE_RATE", "Wav2LipStage", "mel_spectrogram", "mel_window"]
