"""Small ONNX graphs with known arithmetic that stand in for weights, and faces whose five points are known."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pipeline.align import template
from pipeline.errors import ModelUnavailable
from pipeline.faces import Face, Floats, Pixels
from pipeline.landmarkers import lift_five
from pipeline.pose import head_pose
from pipeline.runtime import OnnxRuntime

Shape = Sequence[int | str]


class Drawing:
    """A graph under construction; `add` returns the name of a node's output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initialisers: list[Any] = []

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any, name: str = "", dtype: Any = np.float32) -> str:
        name = name or f"constant_{len(self.initialisers)}"
        self.initialisers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(values, dtype=np.int64)

    def look(self, picture: str, weights: Any, bias: Any, *, pool: int = 1) -> str:
        """Averages over squares of `pool` px, then a linear map of the three channels: weights (c, 3), bias (c,)."""
        if pool > 1:
            picture = self.add("AveragePool", picture, kernel_shape=[pool, pool], strides=[pool, pool])
        kernel = np.asarray(weights, np.float32).reshape(-1, 3, 1, 1)
        return self.add("Conv", picture, self.constant(kernel), self.constant(bias))

    def rows(self, plane: str, width: int, name: str = "") -> str:
        """From (1, c, h, w) to (h*w*c/width, width), cell by cell, as detectors report."""
        last = self.add("Transpose", plane, perm=[0, 2, 3, 1])
        return self.add("Reshape", last, self.ints(-1, width), name=name)

    def save(self, path: Path, inputs: Mapping[str, Shape], outputs: Sequence[str], **types: int) -> Path:
        graph = helper.make_graph(
            self.nodes,
            "small",
            [helper.make_tensor_value_info(n, types.get(n, TensorProto.FLOAT), list(s)) for n, s in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self.initialisers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(onnx.shape_inference.infer_shapes(model), str(path))
        return path


class Shelf:
    """A model store over a folder: every `.onnx` file in it is a model of that name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.onnx"

    def path(self, name: str) -> Path:
        if not self.file(name).is_file():
            raise ModelUnavailable("model_missing", f"The model {name} is not installed.", f"Install {name}.")
        return self.file(name)

    def digest(self, name: str) -> str:
        return hashlib.sha256(self.path(name).read_bytes()).hexdigest()


class CountingRuntime:
    """Real sessions that count how often each model is run; `edits` lets a fixed batch size be made variable."""

    def __init__(self, *, edits: bool = False) -> None:
        self.runs: Counter[str] = Counter()
        self._edits = edits
        self._runtime = OnnxRuntime()

    def session(self, path: Path, *, dynamic_batch: bool = False) -> Any:
        session = self._runtime.session(path, dynamic_batch=dynamic_batch and self._edits)
        return _Counted(session, path.stem, self.runs)


class _Counted:
    def __init__(self, session: Any, name: str, runs: Counter[str]) -> None:
        self._session, self._name, self._runs = session, name, runs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, *arguments: Any) -> Any:
        self._runs[self._name] += 1
        return self._session.run(*arguments)


# Five points of a frontal face on a square of side 1, as mtcnn's template has them.
UPRIGHT: NDArray[np.float64] = template("mtcnn_512", 512) / 512


def face_at(x: float, y: float, side: float, *, roll: float = 0.0) -> Face:
    """A face whose five points lie as in mtcnn's template of `side` px about (x, y), turned by `roll` degrees."""
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    points = (side * (UPRIGHT - 0.5)) @ np.array([[c, s], [-s, c]]) + (x, y)
    return face_on(points.astype(np.float32))


def face_on(points: Floats) -> Face:
    mesh = lift_five(points)
    pose = head_pose(mesh)
    return Face(mesh, 1.0, pose.angles, pose.width, 1.0, points)


def smooth_picture(height: int, width: int) -> Pixels:
    """A picture of soft slopes, different in each channel: resampling it changes nothing by more than a grey level."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    planes = (60 + 120 * x / width, 200 - 130 * y / height, 90 + 70 * (x + y) / (height + width))
    return np.rint(np.dstack(planes)).astype(np.uint8)


def flat_picture(height: int, width: int, bgr: tuple[int, int, int]) -> Pixels:
    return np.full((height, width, 3), bgr, np.uint8)


def shown(region: Any) -> NDArray[np.bool_]:
    """Where a region shows at all."""
    return np.asarray(region.weight > 0)


def largest_gap(a: Pixels, b: Pixels, where: NDArray[np.bool_]) -> int:
    return int(np.abs(a.astype(int) - b.astype(int))[where].max())
