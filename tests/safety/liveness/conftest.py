"""Clips of real people, as frames."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.faces import Pixels


def read_clip(path: Path) -> list[Pixels]:
    """All frames of a clip, BGR."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    return [np.ascontiguousarray(frame, np.uint8) for frame in frames]


@pytest.fixture(scope="session")
def turning_head(testdata: Path) -> list[Pixels]:
    """A real woman who turns her head to both sides: 23 frames of 480x270."""
    return read_clip(testdata / "video/head-pose-face-detection-female.gif")
