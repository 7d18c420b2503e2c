"""The stages and the catalogue say the same about every model that an operator may supply."""

from __future__ import annotations

import pytest

from pipeline.align import TEMPLATES
from pipeline.enhancers import RESTORERS
from pipeline.masks import REGIONS
from pipeline.models.catalogue import load_operator_catalogue
from pipeline.stages import BUILT_IN
from pipeline.swappers import FAMILIES, SwapFamily

CATALOGUE = load_operator_catalogue()
SOURCES = {
    "emap": "arcface_emap",
    "unit": "arcface_normalised",
    "converted": "converted_raw",
    "converted_unit": "converted_normalised",
    "picture": "picture",
}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_a_swapper_is_fed_as_the_catalogue_says(family: SwapFamily) -> None:
    entry = CATALOGUE[family.name]
    stated = entry.constants
    assert (family.side, family.template, family.denormalise) == (
        stated["size"],
        stated["template"],
        stated["denormalise"],
    )
    assert (list(family.mean), list(family.spread)) == (stated["mean"], stated["std"])
    assert SOURCES[family.source] == stated["source"]
    assert family.converter == stated.get("converter")
    assert entry.inputs["target"][2:] == (family.side, family.side)
    if family.source == "picture":
        assert (family.source_template, family.source_side) == (stated["source_template"], stated["source_size"])


def test_every_neural_stage_has_its_model_in_the_catalogue() -> None:
    models = [*FAMILIES, *RESTORERS, "scrfd", "retinaface", "yolov8_face", "yunet", "2dfan4", "xseg", "bisenet"]
    models += ["arcface_w600k_r50", "wav2lip", *(f.converter for f in FAMILIES.values() if f.converter)]
    assert set(models) <= set(CATALOGUE)
    assert set(FAMILIES) < {name for _, name in BUILT_IN}


def test_every_template_of_the_catalogue_is_known() -> None:
    named = {entry.constants[key] for entry in CATALOGUE.values() for key in entry.constants if "template" in key}
    assert named <= set(TEMPLATES)


def test_the_regions_are_the_catalogues_classes() -> None:
    stated = CATALOGUE["bisenet"].constants["classes"]
    assert {name: list(classes) for name, classes in REGIONS.items()} == dict(stated)
