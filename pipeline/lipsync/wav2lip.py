"""Wav2Lip: draws the lower face anew so that the mouth says what is heard."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from pipeline.align import check_usable, lay_back
from pipeline.faces import Face, Floats, Pixels, SwappedRegion
from pipeline.graph import Graph, Models, Sessions
from pipeline.lipsync.mel import BANDS, STEPS
from pipeline.masks.box import box_mask
from pipeline.warp import Affine, crop

_SIDE = 96
_CHIN = 0.05  # of the face's height, that the box reaches below it, for a mouth that opens


class Wav2LipStage:
    """Moves the mouth of a face to speech. It renders, so it is called where rendering is: by `pipeline.render`."""

    name = "wav2lip"

    def __init__(self, runtime: Sessions, store: Models) -> None:
        self._graph = Graph(runtime, store, self.name)
        self._sound, self._face = _inputs(self._graph)
        self.digests: tuple[str, ...] = (self._graph.digest,)

    def speak(self, pixels: Pixels, face: Face, window: Floats) -> SwappedRegion:
        """Return the face saying what a window of the spectrogram, float32 (80, 16), holds.

        Raises:
            FaceRefused: `face_too_small` or `face_cut_off`, the face cannot be worked with.

        """
        if window.shape != (BANDS, STEPS):
            raise ValueError(f"a window is {BANDS} bands of {STEPS} steps")
        check_usable(face, pixels)
        affine = _upright(face)
        seen = crop(pixels, affine, _SIDE)
        feeds = {self._sound: np.asarray(window[None, None], np.float32), self._face: _six_channels(seen)}
        drawn = self._graph.run(feeds)[0]
        if drawn.shape != (1, 3, _SIDE, _SIDE):
            raise self._graph.unfit(f"it gives {drawn.shape}")
        content = np.rint(np.clip(np.nan_to_num(drawn[0]), 0, 1) * 255).transpose(1, 2, 0)
        return lay_back(pixels, np.ascontiguousarray(content, np.uint8), _lower_half(), affine)


def _six_channels(seen: Pixels) -> Floats:
    """The face with its lower half blacked out and the face as it is, BGR in 0..1, float32 (1, 6, 96, 96)."""
    hidden = seen.copy()
    hidden[_SIDE // 2 :] = 0
    both = np.concatenate([hidden, seen], axis=2).transpose(2, 0, 1)[None]
    return np.ascontiguousarray(both, np.float32) / np.float32(255)


def _upright(face: Face) -> Affine:
    """The map of the face's own box, turned with it, onto the network's square."""
    c, s = np.cos(np.radians(face.pose.roll)), np.sin(np.radians(face.pose.roll))
    turn = np.array([[c, s], [-s, c]])
    places = face.mesh[:, :2] @ turn.T
    low, high = places.min(axis=0), places.max(axis=0)
    high[1] += _CHIN * (high[1] - low[1])
    scale = _SIDE / np.maximum(high - low, 1.0)
    return np.concatenate([turn * scale[:, None], (-low * scale)[:, None]], axis=1).astype(np.float64)


@lru_cache(maxsize=1)
def _lower_half() -> Floats:
    """Where the new mouth shows: the lower half, soft towards the eyes and the crop's border."""
    mask = np.zeros((_SIDE, _SIDE), np.float32)
    mask[_SIDE // 2 + 4 :] = 1
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 3), np.float32)
    return np.minimum(soft, box_mask(_SIDE, blur=0.2))


def _inputs(graph: Graph) -> tuple[str, str]:
    """The names of the graph's inputs for sound and face, told by their channels."""
    channels = {shape[1]: name for name, shape in graph.inputs.items() if len(shape) == 4}
    if len(graph.inputs) != 2 or {1, 6} != set(channels):
        raise graph.unfit(f"its inputs {', '.join(graph.inputs)} are not a sound and a face")
    return channels[1], channels[6]
