"""Several enhancers, one after the other, as one."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.faces import Face, FaceEnhancer, Pixels, SwappedRegion


class EnhancerChain:
    """Runs enhancers in their order; implements `FaceEnhancer`. Without any it leaves the region as it is."""

    def __init__(self, stages: Sequence[FaceEnhancer]) -> None:
        self._stages = tuple(stages)
        self.name = "+".join(stage.name for stage in stages) or "none"
        self.digests: tuple[str, ...] = tuple(digest for stage in stages for digest in stage.digests)

    def enhance(self, region: SwappedRegion, pixels: Pixels, face: Face) -> SwappedRegion:
        """Return the region improved; `pixels` is the untouched target picture for reference."""
        for stage in self._stages:
            region = stage.enhance(region, pixels, face)
        return region
