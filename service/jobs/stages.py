"""The stages of one job: what the caller may choose, and what was chosen, as the manifest states it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import PipelineError
from pipeline.faces import FaceEnhancer, FaceSwapper
from pipeline.stages import StageOptions
from provenance.credentials import DigitalSourceType
from service.platform.problems import Problem
from service.vision import Vision

_Share = Annotated[float, Field(ge=0, le=1)]
_Name = Annotated[str, Field(min_length=1, max_length=100)]
# Stages that move, blend or mask pixels of the given pictures; every other one makes pixels with a trained model.
_MODEL_FREE = {"mesh", "detail", "area", "box", "xseg", "bisenet", "none"}


class StagesIn(BaseModel):
    """The swap's own stages; what is left out is the server's. Detection, landmarks and the gates are never chosen."""

    model_config = ConfigDict(extra="forbid")

    swapper: _Name | None = Field(None, examples=["mesh"])
    enhancer: _Name | None = Field(None, description="Several in a row are joined by +.", examples=["xseg+detail"])
    pixel_boost: Annotated[int, Field(ge=1, le=8)] = 1
    identity_weight: _Share = 1.0
    blend: _Share = 0.8
    fidelity: _Share = 0.5


def chosen_swapper(vision: Vision, stages: StagesIn) -> FaceSwapper:
    """The swapper of a job. Raises `ModelUnavailable` where nobody offers it or its model is not installed."""
    return vision.stages.swapper(stages.swapper or vision.defaults.swapper, _options(stages))


def chosen_enhancer(vision: Vision, stages: StagesIn) -> FaceEnhancer:
    """The enhancer, or chain of enhancers, of a job. Raises as `chosen_swapper` does."""
    return vision.stages.enhancer(stages.enhancer or vision.defaults.enhancer, _options(stages))


def check_stages(vision: Vision, stages: StagesIn) -> None:
    """Make the stages once, so that a name or a model that is missing is told at once, as the caller's to change."""
    try:
        chosen_swapper(vision, stages)
        chosen_enhancer(vision, stages)
    except (PipelineError, ValueError) as error:
        code, hint = getattr(error, "code", "stage_unfit"), getattr(error, "hint", "")
        raise Problem(422, code, str(error), hint=hint) from error


def _options(stages: StagesIn) -> StageOptions:
    return StageOptions(
        pixel_boost=stages.pixel_boost,
        identity_weight=stages.identity_weight,
        blend=stages.blend,
        fidelity=stages.fidelity,
    )


def engine_name(vision: Vision, stages: StagesIn) -> str:
    """What the manifest calls the engine: `mesh, detail`."""
    return f"{stages.swapper or vision.defaults.swapper}, {stages.enhancer or vision.defaults.enhancer}"


def source_type(vision: Vision, stages: StagesIn) -> DigitalSourceType:
    """What is true of the pixels that these stages make."""
    enhancers = (stages.enhancer or vision.defaults.enhancer).split("+")
    used = {stages.swapper or vision.defaults.swapper, *(name.strip() for name in enhancers)}
    if used <= _MODEL_FREE:
        return DigitalSourceType.COMPOSITE_SYNTHETIC
    return DigitalSourceType.COMPOSITE_WITH_TRAINED_MODEL


def stage_digests(vision: Vision, stages: StagesIn) -> dict[str, str]:
    """SHA-256 of the models that only this job's stages run, by stage."""
    found: dict[str, str] = {}
    for stage in (chosen_swapper(vision, stages), chosen_enhancer(vision, stages)):
        for number, digest in enumerate(stage.digests):
            found[stage.name if len(stage.digests) == 1 else f"{stage.name}:{number}"] = digest
    return found
