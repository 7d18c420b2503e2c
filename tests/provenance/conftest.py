"""Pictures, keys and facts that the provenance tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
import skimage.data

from provenance.credentials import Ingredient
from provenance.pki import DevelopmentPki, SigningIdentity
from provenance.watermark import Watermarker
from tests.provenance.pictures import KEY, Pixels, bgr, encode


@pytest.fixture(scope="session")
def watermarker() -> Watermarker:
    return Watermarker(KEY)


@pytest.fixture(scope="session")
def picture() -> Pixels:
    """A public-domain portrait, 451×300 pixels."""
    return bgr(skimage.data.chelsea())


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentPki:
    return DevelopmentPki.open(Path(tmp_path_factory.mktemp("pki")))


@pytest.fixture(scope="session")
def identity(pki: DevelopmentPki) -> SigningIdentity:
    return pki.identity()


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> SigningIdentity:
    """Somebody else's identity, whose root we do not trust."""
    return DevelopmentPki.open(Path(tmp_path_factory.mktemp("stranger"))).identity()


@pytest.fixture(scope="session")
def ingredients(picture: Pixels) -> tuple[Ingredient, Ingredient]:
    target = Ingredient.target(encode(picture, "image/jpeg"), "image/jpeg")
    source = Ingredient.source(encode(bgr(skimage.data.astronaut()), "image/png"), "image/png")
    return target, source
