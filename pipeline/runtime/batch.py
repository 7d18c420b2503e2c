"""Makes the batch size of a graph variable that was exported for one picture at a time."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelUnavailable
from pipeline.models.files import sha256_of, write_atomically
from pipeline.runtime.edit import freed, inputs_of, is_single, rank, varies
from pipeline.runtime.installation import load_onnxruntime
from pipeline.runtime.sessions import dtype_of

_ROWS: Final = 2
_OPEN_SIZE: Final = 64  # px, for the trial, where a graph leaves its other dimensions open
_TOLERANCE: Final = 1e-4  # of the largest value: batches are summed in another order than single pictures


@dataclass(frozen=True)
class Batching:
    """Whether a model takes batches: `dynamic`; whether its graph must be `edited` for that; `notice` why not."""

    dynamic: bool
    edited: bool
    notice: str = ""


def with_dynamic_batch(path: Path, *, cache: Path | None = None) -> Batching:
    """Find out whether the model can be given a variable batch size, by trying it on the CPU.

    The edited graph must give on two different pictures at once what the untouched one gives on each. The trial costs
    four runs; with `cache`, a folder, its outcome is kept for the file's digest.

    Raises:
        ModelUnavailable: `model_broken`, the file is no ONNX model.

    """
    kept = cache / f"{sha256_of(path)}.batch.json" if cache else None
    if kept is not None and (known := _kept(kept)) is not None:
        return known
    found = _tried(path)
    if kept is not None:
        write_atomically(kept, json.dumps(asdict(found)).encode())
    return found


def made_dynamic(path: Path) -> bytes:
    """Return the serialised model with a variable batch size, without checking that it still computes the same."""
    return bytes(freed(_load(path)).SerializeToString())


def _kept(path: Path) -> Batching | None:
    try:
        return Batching(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _tried(path: Path) -> Batching:
    model = _load(path)
    inputs = list(inputs_of(model.graph))
    if not any(is_single(value) for value in inputs):
        open_already = any(rank(value) > 1 for value in inputs)
        return Batching(open_already, edited=False, notice="" if open_already else "No input has a batch axis.")
    rigid = [value.name for value in model.graph.output if not is_single(value) and not varies(value)]
    if rigid:
        return Batching(dynamic=False, edited=False, notice=f"The output {rigid[0]} has no batch axis.")
    try:
        wrong = _difference(path, freed(model))
    except Exception as error:
        wrong = str(error).splitlines()[0] if str(error) else type(error).__name__
    if wrong:
        return Batching(dynamic=False, edited=False, notice=f"Pictures are run one by one: {wrong}")
    return Batching(dynamic=True, edited=True)


def _load(path: Path) -> Any:
    import onnx  # noqa: PLC0415 - a process that edits no graph does not need it

    try:
        return onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise ModelUnavailable("model_broken", f"{path.name} cannot be loaded: {error}") from error


def _difference(path: Path, edited: Any) -> str:
    """Run both graphs on the same random pictures; return what is wrong, nothing where they agree."""
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    plain, batched = (
        onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        for source in (str(path), edited.SerializeToString())
    )
    feed, per_picture = _trial(plain)
    rows = [
        plain.run(None, {name: value[row : row + 1] if name in per_picture else value for name, value in feed.items()})
        for row in range(_ROWS)
    ]
    together = batched.run(None, feed)
    for described, got, *singles in zip(plain.get_outputs(), together, *rows, strict=True):
        wanted = np.concatenate(singles)
        if wanted.shape != got.shape:
            return f"the output {described.name} has the shape {got.shape} for two pictures."
        scale = max(1.0, float(np.abs(wanted).max(initial=0)))
        if not np.abs(wanted - got).max(initial=0) <= _TOLERANCE * scale:
            return f"the output {described.name} differs in a batch."
    return ""


def _trial(session: Any) -> tuple[dict[str, NDArray[Any]], set[str]]:
    """Random values 0..1 for two pictures, and the names of the inputs that have a row for each."""
    random = np.random.default_rng(1)
    feed: dict[str, NDArray[Any]] = {}
    per_picture = set()
    for value in session.get_inputs():
        kind, shape = dtype_of(value.type), list(value.shape)
        if len(shape) > 1 and shape[0] == 1:
            per_picture.add(value.name)
            shape[0] = _ROWS
        sizes = [size if isinstance(size, int) else _OPEN_SIZE for size in shape]
        feed[value.name] = random.random(sizes).astype(kind)
    return feed, per_picture
