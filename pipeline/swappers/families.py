"""The families of neural swappers: how each is aligned, fed and read. Facts of the public projects, no weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Triple = tuple[float, float, float]

SourceKind = Literal["emap", "unit", "converted", "converted_unit", "picture"]
"""What goes into the graph's input `source`.

`emap`            the unit ArcFace embedding times the graph's own 512x512 table, scaled to length 1 again
`unit`            the unit ArcFace embedding
`converted`       the raw ArcFace embedding through the family's converter model
`converted_unit`  the same, scaled to length 1
`picture`         an aligned source photo, RGB in 0..1
"""


@dataclass(frozen=True, slots=True)
class SwapFamily:
    """One family: `name` is its model in the catalogue, `side` the crop in pixels, `template` its alignment.

    The input is RGB in 0..1, less `mean`, over `spread`; where `denormalise` is set the output is taken back the
    same way. `source_template` and `source_side` are for families that look at a source photo.
    """

    name: str
    side: int
    template: str
    mean: Triple
    spread: Triple
    denormalise: bool
    source: SourceKind
    converter: str | None = None
    source_template: str = ""
    source_side: int = 0


_NONE: Triple = (0.0, 0.0, 0.0)
_ONE: Triple = (1.0, 1.0, 1.0)
_HALF: Triple = (0.5, 0.5, 0.5)
_IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
_IMAGENET_SPREAD: Triple = (0.229, 0.224, 0.225)

_ALL = (
    # insightface (python-package/insightface/model_zoo/inswapper.py)
    SwapFamily("inswapper_128", 128, "arcface_128", _NONE, _ONE, denormalise=False, source="emap"),
    # FaceFusion Labs (hyperswap)
    SwapFamily("hyperswap_256", 256, "arcface_128", _HALF, _HALF, denormalise=True, source="unit"),
    # neuralchen/SimSwap
    SwapFamily(
        "simswap_256",
        256,
        "arcface_112_v1",
        _IMAGENET_MEAN,
        _IMAGENET_SPREAD,
        denormalise=False,
        source="converted_unit",
        converter="simswap_256_converter",
    ),
    # ai-forever/ghost
    SwapFamily(
        "ghost_256",
        256,
        "arcface_112_v1",
        _HALF,
        _HALF,
        denormalise=True,
        source="converted",
        converter="ghost_256_converter",
    ),
    # GuijiAI, an unofficial HifiFace
    SwapFamily(
        "hififace_256",
        256,
        "mtcnn_512",
        _HALF,
        _HALF,
        denormalise=True,
        source="converted_unit",
        converter="hififace_256_converter",
    ),
    # xc-csc101/UniFace
    SwapFamily(
        "uniface_256",
        256,
        "ffhq_512",
        _HALF,
        _HALF,
        denormalise=True,
        source="picture",
        source_template="ffhq_512",
        source_side=256,
    ),
    # mapooon/BlendFace
    SwapFamily(
        "blendswap_256",
        256,
        "ffhq_512",
        _NONE,
        _ONE,
        denormalise=False,
        source="picture",
        source_template="arcface_112_v2",
        source_side=112,
    ),
)

FAMILIES: Final[Mapping[str, SwapFamily]] = MappingProxyType({family.name: family for family in _ALL})
"""Every family by its name."""
