"""The rebuilt MiniFASNet against a plain NumPy forward, and what happens to weights that do not fit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from pipeline.models import load_operator_catalogue
from pipeline.models.minifasnet import convert_minifasnet
from pipeline.models.torch_legacy import LegacyFormatError, Weights, read_legacy_weights
from tests.pipeline.models.test_torch_legacy import dictionary, tensor, text, weights_file

NAMES = ("minifasnet_v2", "minifasnet_v1se")
STAGES = (("conv_23", "conv_3"), ("conv_34", "conv_4"), ("conv_45", "conv_5"))


class Plain:
    """The same network written down again with NumPy, layer by layer, nothing folded: one picture at a time."""

    def __init__(self, weights: Weights) -> None:
        self.weights = {name.removeprefix("module."): np.asarray(value, np.float64) for name, value in weights.items()}

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        x = self.block(self.block(picture.astype(np.float64), "conv1", 2), "conv2_dw")
        for down, group in STAGES:
            x, number = self.unit(x, down, 2), 0
            while f"{group}.model.{number}.project.conv.weight" in self.weights:
                x, number = x + self.unit(x, f"{group}.model.{number}"), number + 1
        x = self.block(self.block(x, "conv_6_sep"), "conv_6_dw", padding=0).ravel()
        logits = self.weights["prob.weight"] @ self.norm(self.weights["linear.weight"] @ x, "bn")
        powers = np.exp(logits - logits.max())
        return powers / powers.sum()

    def unit(self, x: np.ndarray, name: str, stride: int = 1) -> np.ndarray:
        y = self.block(self.block(self.block(x, f"{name}.conv"), f"{name}.conv_dw", stride), f"{name}.project")
        gate = f"{name}.se_module"
        if f"{gate}.fc1.weight" not in self.weights:
            return y
        z = self.norm(self.weights[f"{gate}.fc1.weight"][:, :, 0, 0] @ y.mean(axis=(1, 2)), f"{gate}.bn1")
        z = self.norm(self.weights[f"{gate}.fc2.weight"][:, :, 0, 0] @ np.maximum(z, 0), f"{gate}.bn2")
        return y / (1 + np.exp(-z))[:, None, None]

    def block(self, x: np.ndarray, name: str, stride: int = 1, padding: int | None = None) -> np.ndarray:
        kernel = self.weights[f"{name}.conv.weight"]
        border = kernel.shape[2] // 2 if padding is None else padding
        x = np.pad(x, ((0, 0), (border, border), (border, border)))
        seen = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
        depthwise = kernel.shape[1] == 1
        y = np.einsum("chwij,cij->chw", seen, kernel[:, 0]) if depthwise else np.einsum("chwij,ocij->ohw", seen, kernel)
        y = self.norm(y, f"{name}.bn")
        slope = self.weights.get(f"{name}.prelu.weight")
        return y if slope is None else np.where(y > 0, y, y * slope[:, None, None])

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        mean, variance, gamma, beta = (
            self.weights[f"{name}.{part}"].reshape(-1, *[1] * (x.ndim - 1))
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_gives_what_a_plain_forward_gives_alone_and_in_a_batch(minifasnet_files: Path, name: str) -> None:
    entry = load_operator_catalogue()[name]
    source = (minifasnet_files / entry.file).read_bytes()
    pictures = np.random.default_rng(3).uniform(0, 255, (3, 3, 80, 80)).astype(np.float32)
    expected = np.stack([Plain(read_legacy_weights(source))(picture) for picture in pictures])
    session = onnxruntime.InferenceSession(convert_minifasnet(source))
    (together,) = session.run(None, {"faces": pictures})
    (alone,) = session.run(None, {"faces": pictures[1:2]})
    assert np.abs(together - expected).max() < 1e-5
    assert np.abs(alone - expected[1]).max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_the_conversion_gives_the_bytes_that_the_catalogue_pins(minifasnet_files: Path, name: str) -> None:
    entry = load_operator_catalogue()[name]
    source = (minifasnet_files / entry.file).read_bytes()
    assert hashlib.sha256(source).hexdigest() == entry.source_sha256
    assert hashlib.sha256(convert_minifasnet(source)).hexdigest() == entry.sha256


def test_weights_of_another_network_are_refused(minifasnet_files: Path) -> None:
    ones = np.ones(4, "<f4")
    with pytest.raises(LegacyFormatError, match="missing"):
        convert_minifasnet(weights_file(dictionary(text("fc.weight"), tensor("1", 4, (2, 2))), {"1": ones}))


@pytest.mark.parametrize("change", ["more", "fewer", "other shape", "negative variance"])
def test_weights_that_do_not_fit_together_are_refused(minifasnet_files: Path, change: str) -> None:
    weights = dict(read_legacy_weights((minifasnet_files / "2.7_80x80_MiniFASNetV2.pth").read_bytes()))
    match change:
        case "more":
            weights["module.conv_7.weight"] = np.ones((2, 2), np.float32)
        case "fewer":
            del weights["module.conv_3.model.1.conv_dw.bn.bias"]
        case "other shape":
            weights["module.conv1.conv.weight"] = np.ones((32, 4, 3, 3), np.float32)
        case "negative variance":
            weights["module.bn.running_var"] = -weights["module.bn.running_var"]
    items, storages = [], {}
    for number, (name, values) in enumerate(weights.items()):
        if values.dtype == np.float32:
            storages[str(number)] = np.ascontiguousarray(values).ravel()
            items += [text(name), tensor(str(number), values.size, values.shape)]
    with pytest.raises(LegacyFormatError):
        convert_minifasnet(weights_file(dictionary(*items), storages))
