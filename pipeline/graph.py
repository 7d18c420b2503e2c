"""One ONNX graph and how a stage talks to it: its inputs and outputs, its batch, its initialisers, its failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelUnavailable
from pipeline.faces import Floats

Tensor = NDArray[Any]
_UNFIT = "Install the model that the catalogue describes; `assent models verify` tells which file is wrong."


class Sessions(Protocol):
    """What a stage needs of `pipeline.runtime.OnnxRuntime`."""

    def session(self, path: Path, *, dynamic_batch: bool = False) -> Any:
        """Return the shared inference session of the model file, its batch size made variable where that is asked."""


class Models(Protocol):
    """What a stage needs of `pipeline.models.ModelStore`."""

    def path(self, name: str) -> Path:
        """Return the checked ONNX file of a model; raises ModelUnavailable where there is none."""

    def digest(self, name: str) -> str:
        """Return the SHA-256 of that file."""


class Graph:
    """A model that is ready to run. Safe to share between threads."""

    def __init__(self, runtime: Sessions, store: Models, name: str, *, rows: bool = False) -> None:
        """Open the model; with `rows` for several faces at once, where its graph can be made to take them.

        Raises:
            ModelUnavailable: it is missing, changed or cannot be loaded.

        """
        self.name = name
        self.path = store.path(name)
        self.digest = store.digest(name)
        self._session = runtime.session(self.path, dynamic_batch=True) if rows else runtime.session(self.path)
        self.inputs: dict[str, tuple[int | None, ...]] = _shapes(self._session.get_inputs())
        self.outputs: dict[str, tuple[int | None, ...]] = _shapes(self._session.get_outputs())

    def require(self, *, inputs: Sequence[str] = (), outputs: int = 1) -> None:
        """Check that the named inputs and at least so many outputs exist; raises `ModelUnavailable('model_unfit')`."""
        missing = [name for name in inputs if name not in self.inputs]
        if missing or len(self.outputs) < outputs:
            raise self.unfit(
                f"it has the inputs {', '.join(self.inputs)} and {len(self.outputs)} outputs, "
                f"wanted are {', '.join(inputs) or 'one'} and {outputs}"
            )

    def only_input(self) -> str:
        """Return the name of the graph's one input; raises `ModelUnavailable('model_unfit')` where it has several."""
        if len(self.inputs) != 1:
            raise self.unfit(f"it has the inputs {', '.join(self.inputs)} instead of one")
        return next(iter(self.inputs))

    def side(self, name: str, default: int) -> int:
        """Return the side of a square NCHW or NHWC input in pixels, or the default where the graph leaves it open."""
        shape = self.inputs[name]
        if len(shape) != 4:
            raise self.unfit(f"its input {name} is no picture")
        return (shape[1] if shape[3] in (1, 3) else shape[3]) or default

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """Run once and return all outputs, in the graph's order.

        Raises:
            ModelUnavailable: `model_unfit`, the graph does not take these tensors or fails on them.

        """
        try:
            return [np.asarray(value) for value in self._session.run(list(self.outputs), dict(feeds))]
        except Exception as error:  # ONNX Runtime raises many types, none of them documented
            raise self.unfit(f"it fails: {error}") from error

    def run_rows(self, feeds: Mapping[str, Tensor], *, fixed: Mapping[str, Tensor] | None = None) -> list[Tensor]:
        """Run over rows: at once where the batch dimension is open, one after the other where it is not.

        `feeds` are tensors with the same number of rows, at least one; `fixed` go along unchanged with every run.
        """
        fixed = fixed or {}
        count = len(next(iter(feeds.values())))
        if count == 1 or all(self.inputs[name][0] is None for name in feeds):
            return self.run({**feeds, **fixed})
        single = [self.run({**{key: rows[i : i + 1] for key, rows in feeds.items()}, **fixed}) for i in range(count)]
        return [np.concatenate(values) for values in zip(*single, strict=True)]

    def initialiser(self, shape: tuple[int, ...]) -> Floats:
        """Return the float initialiser of this shape, found by shape; one that no node uses wins over others.

        Raises:
            ModelUnavailable: `model_unfit`, there is none, or it cannot be told which one is meant.

        """
        import onnx  # noqa: PLC0415 - only the few models that keep a table in the file need it

        graph = onnx.load(str(self.path)).graph
        found = [tensor for tensor in graph.initializer if tuple(tensor.dims) == shape]
        used = {name for node in graph.node for name in node.input}
        idle = [tensor for tensor in found if tensor.name not in used]
        chosen = idle if idle else found
        if len(chosen) != 1:
            raise self.unfit(f"it has {len(chosen)} initialisers of the shape {shape} instead of one")
        return np.asarray(onnx.numpy_helper.to_array(chosen[0]), np.float32)

    def unfit(self, why: str) -> ModelUnavailable:
        """Return the error that this model's file is not the model that its name promises."""
        return ModelUnavailable("model_unfit", f"The model {self.name} is not fit for its stage: {why}.", _UNFIT)


def _shapes(values: Sequence[Any]) -> dict[str, tuple[int | None, ...]]:
    return {
        value.name: tuple(side if isinstance(side, int) and side > 0 else None for side in value.shape or ())
        for value in values
    }
