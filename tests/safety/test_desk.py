"""The desk judges whole submissions and outputs, and with any part of it broken it allows nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.engine import FaceEngine
from pipeline.errors import ModelUnavailable
from pipeline.faces import Floats, Pixels
from pipeline.models import ModelStore
from pipeline.runtime import OnnxRuntime
from safety.desk import Inspection, Record, SafetyDesk
from safety.policy import Policy
from safety.verdict import Outcome
from tests.safety.samples import GREY, torso


@pytest.fixture(scope="module")
def desk(engine: FaceEngine, runtime: OnnxRuntime, store: ModelStore) -> SafetyDesk:
    return SafetyDesk.standard(engine, runtime, store)


@dataclass(frozen=True)
class Parts:
    """What a desk is made of, and a submission that it allows."""

    engine: FaceEngine
    runtime: OnnxRuntime
    store: ModelStore
    picture: Pixels
    template: Floats

    def inspect(self, desk: SafetyDesk) -> tuple[Inspection, Inspection]:
        """The inspection of the submission, and of its target as if that were the output."""
        replaced = self.engine.look(self.picture)[0]
        screened = desk.screen([self.picture], self.picture, template=self.template)
        checked = desk.check_output(self.picture, template=self.template, target=self.picture, replaced=replaced)
        return screened, checked


@pytest.fixture(scope="module")
def parts(
    engine: FaceEngine, runtime: OnnxRuntime, store: ModelStore, astronaut: Pixels, astronaut_template: Floats
) -> Parts:
    return Parts(engine, runtime, store, astronaut, astronaut_template)


def _codes(inspection: Inspection) -> set[tuple[str, str]]:
    return {(reason.code, reason.subject) for reason in inspection.verdict.deciding}


def test_a_consenting_adult_is_allowed(desk: SafetyDesk, astronaut: Pixels, astronaut_template: Floats) -> None:
    inspection = desk.screen([astronaut, astronaut[:, ::-1].copy()], astronaut, template=astronaut_template)
    assert inspection.verdict.outcome is Outcome.ALLOW
    assert inspection.record.subjects == ("source:0", "source:1", "target")
    assert inspection.evidence["target"].face is not None


def test_a_record_is_judged_again_from_its_json(
    desk: SafetyDesk, astronaut: Pixels, astronaut_template: Floats
) -> None:
    inspection = desk.screen([astronaut], torso(), template=astronaut_template)
    stored = Record.from_json(json.loads(json.dumps(inspection.record.to_json())))
    assert stored.judge(Policy.shipped()) == inspection.verdict
    assert inspection.verdict.outcome is Outcome.REFUSE


def test_a_nude_target_is_refused(desk: SafetyDesk, astronaut: Pixels, astronaut_template: Floats) -> None:
    assert ("nudity", "target") in _codes(desk.screen([astronaut], torso(512), template=astronaut_template))


def test_the_face_of_somebody_else_is_refused(desk: SafetyDesk, astronaut: Pixels, astronaut_template: Floats) -> None:
    other = astronaut_template + np.float32(0.1)
    assert _codes(desk.screen([astronaut], astronaut, template=other)) == {("not_the_consenting_person", "source:0")}


def test_without_a_template_or_a_source_nothing_is_allowed(
    desk: SafetyDesk, astronaut: Pixels, astronaut_template: Floats
) -> None:
    assert _codes(desk.screen([astronaut], astronaut, template=None)) == {("consent_not_verified", "source:0")}
    assert _codes(desk.screen([], astronaut, template=astronaut_template)) == {("consent_not_verified", "source:0")}


def test_pictures_without_a_face_are_refused(desk: SafetyDesk, astronaut: Pixels, astronaut_template: Floats) -> None:
    assert ("no_face", "source:0") in _codes(desk.screen([GREY], astronaut, template=astronaut_template))
    assert ("no_face", "target") in _codes(desk.screen([astronaut], GREY, template=astronaut_template))


def test_several_faces_need_a_choice_in_the_target_and_are_refused_in_a_source(
    desk: SafetyDesk, astronaut: Pixels, astronaut_template: Floats
) -> None:
    two = np.ascontiguousarray(np.hstack([astronaut, astronaut]))
    assert _codes(desk.screen([two], astronaut, template=astronaut_template)) == {("several_faces", "source:0")}
    assert _codes(desk.screen([astronaut], two, template=astronaut_template)) == {("face_not_chosen", "target")}
    chosen = desk.screen([astronaut], two, template=astronaut_template, target_face=1)
    assert chosen.verdict.outcome is Outcome.ALLOW
    wrong = desk.screen([astronaut], two, template=astronaut_template, target_face=2)
    assert ("no_face", "target") in _codes(wrong)


def test_an_output_of_the_subject_is_allowed(desk: SafetyDesk, astronaut: Pixels, astronaut_template: Floats) -> None:
    replaced = desk.screen([astronaut], astronaut, template=astronaut_template).evidence["target"].face
    # As if the swap had turned this very target into the subject.
    inspection = desk.check_output(astronaut, template=astronaut_template, target=astronaut, replaced=replaced)
    assert inspection.verdict.outcome is Outcome.ALLOW


def test_an_output_that_still_shows_the_target_is_refused(
    desk: SafetyDesk, astronaut: Pixels, astronaut_template: Floats
) -> None:
    subject = astronaut_template + np.float32(0.06)
    replaced = desk.screen([astronaut], astronaut, template=subject).evidence["target"].face
    inspection = desk.check_output(astronaut, template=subject, target=astronaut, replaced=replaced)
    assert ("output_still_the_original", "output") in _codes(inspection)


def test_an_output_whose_face_vanished_is_refused(
    desk: SafetyDesk, astronaut: Pixels, astronaut_template: Floats
) -> None:
    replaced = desk.screen([astronaut], astronaut, template=astronaut_template).evidence["target"].face
    blank = np.full_like(astronaut, 127)
    inspection = desk.check_output(blank, template=astronaut_template, target=astronaut, replaced=replaced)
    assert ("no_face", "output") in _codes(inspection)
    nobody = desk.check_output(astronaut, template=astronaut_template, target=astronaut, replaced=None)
    assert nobody.verdict.outcome is Outcome.REFUSE


def test_a_nude_output_is_refused(desk: SafetyDesk, astronaut: Pixels, astronaut_template: Floats) -> None:
    replaced = desk.screen([astronaut], astronaut, template=astronaut_template).evidence["target"].face
    output = np.asarray(torso(512), np.uint8)
    inspection = desk.check_output(output, template=astronaut_template, target=astronaut, replaced=replaced)
    assert ("nudity", "output") in _codes(inspection)


# --- faults: a model is missing, raises, runs out of memory, hangs, or answers nonsense

RELEASE = threading.Event()


@pytest.fixture(autouse=True, scope="module")
def _release_hanging_gates() -> Iterator[None]:
    yield
    RELEASE.set()


def _raising(error: BaseException) -> Callable[[list[Any]], Any]:
    def answer(_: list[Any]) -> Any:
        raise error

    return answer


def _hanging(outputs: list[Any]) -> Any:
    RELEASE.wait(30)
    return outputs


ANSWERS: dict[str, Callable[[list[Any]], Any]] = {
    "raises": _raising(RuntimeError("CUDA failure")),
    "has no memory": _raising(MemoryError()),
    "hangs": _hanging,
    "answers nothing": lambda outputs: [],
    "answers None": lambda outputs: None,
    "answers NaN": lambda outputs: [np.full_like(array, np.nan) for array in outputs],
    "answers infinity": lambda outputs: [np.full_like(array, np.inf) for array in outputs],
    "answers too little": lambda outputs: [array[..., :1] for array in outputs],
    "answers text": lambda outputs: ["0.0"],
}


class BrokenSession:
    """Runs the real model, then spoils its answer."""

    def __init__(self, real: Any, spoil: Callable[[list[Any]], Any]) -> None:
        self._real = real
        self._spoil = spoil

    def run(self, names: Any, feed: Any) -> Any:
        return self._spoil(self._real.run(names, feed))


class BrokenRuntime(OnnxRuntime):
    """Gives a broken session for one model file."""

    def __init__(self, real: OnnxRuntime, path: Path, spoil: Callable[[list[Any]], Any]) -> None:
        super().__init__()
        self._real = real
        self._path = path
        self._spoil = spoil

    def session(self, path: Path) -> Any:
        session = self._real.session(path)
        return BrokenSession(session, self._spoil) if path == self._path else session


class StoreWithout(ModelStore):
    """A store that lost one model."""

    def __init__(self, real: ModelStore, lost: str) -> None:
        super().__init__(real.path("age").parent)
        self._real = real
        self._lost = lost

    def path(self, name: str) -> Path:
        if name == self._lost:
            raise ModelUnavailable("model_missing", "gone")
        return self._real.path(name)


MODELS = ("nudenet_320n", "open_nsfw", "age")


def test_with_nothing_broken_it_is_allowed(desk: SafetyDesk, parts: Parts) -> None:
    assert [inspection.verdict.outcome for inspection in parts.inspect(desk)] == [Outcome.ALLOW, Outcome.ALLOW]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fault", ANSWERS)
def test_a_broken_model_allows_nothing(model: str, fault: str, parts: Parts) -> None:
    broken = BrokenRuntime(parts.runtime, parts.store.path(model), ANSWERS[fault])
    limit = 1.5 if fault == "hangs" else 30.0
    desk = SafetyDesk.standard(parts.engine, broken, parts.store, time_limit_s=limit)
    inspection = desk.screen([parts.picture], parts.picture, template=parts.template)
    assert _codes(inspection) == {("not_checked", "source:0"), ("not_checked", "target")}


@pytest.mark.parametrize("model", MODELS)
def test_a_missing_model_allows_nothing(model: str, parts: Parts) -> None:
    desk = SafetyDesk.standard(parts.engine, parts.runtime, StoreWithout(parts.store, model))
    screened, checked = parts.inspect(desk)
    assert screened.verdict.outcome is Outcome.REVIEW
    assert any("gone" in f.note for f in screened.findings)
    assert checked.verdict.outcome is (Outcome.ALLOW if model == "age" else Outcome.REVIEW)


class BrokenEngine(FaceEngine):
    """Looks and embeds as the test says."""

    def __init__(self, real: FaceEngine, *, look: Any = None, embed: Any = None) -> None:
        super().__init__(real.detector, real.landmarker, real.embedder)
        self._look, self._embed = look, embed

    def look(self, pixels: Pixels) -> Any:
        return self._look() if self._look else super().look(pixels)

    def embed(self, pixels: Pixels, faces: Any) -> Any:
        return self._embed() if self._embed else super().embed(pixels, faces)


def _fail() -> Any:
    raise ModelUnavailable("model_missing", "gone")


@pytest.mark.parametrize(
    "fault",
    [
        {"look": _fail},
        {"look": lambda: []},
        {"look": lambda: None},
        {"embed": _fail},
        {"embed": lambda: None},
        {"embed": lambda: np.zeros((5, 128), np.float32)},
        {"embed": lambda: np.zeros((1, 3), np.float32)},
        {"embed": lambda: np.full((1, 128), np.nan, np.float32)},
    ],
)
def test_a_broken_engine_allows_nothing(fault: dict[str, Any], parts: Parts) -> None:
    desk = SafetyDesk.standard(BrokenEngine(parts.engine, **fault), parts.runtime, parts.store)
    outcomes = [inspection.verdict.outcome for inspection in parts.inspect(desk)]
    assert Outcome.ALLOW not in outcomes
