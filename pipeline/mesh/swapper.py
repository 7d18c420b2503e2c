"""The mesh engine as a face swapper: the source's texture on the target's mesh, in the target's light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from pipeline.errors import FaceRefused
from pipeline.faces import Face, Floats, Pixels, SwappedRegion
from pipeline.mesh.canvas import Canvas
from pipeline.mesh.colour import Relight, relight
from pipeline.mesh.geometry import Placement, drawn_meshes, lips_apart
from pipeline.mesh.identity import CM_PER_LAYOUT, MeshIdentity, enrol
from pipeline.mesh.masks import Masks
from pipeline.mesh.raster import evaluate, look_up, sample, texel_centres, triangle_maps
from pipeline.mesh.settings import MeshSettings
from pipeline.mesh.skin import glasses, skin_likelihood
from pipeline.mesh.topology import shipped_topology

CLOSED, AJAR = 0.05, 0.25  # centimetres between the lips: from here to there the mouth's inside becomes the target's
CUBIC_BELOW = 150_000  # pixels of the region: hair around a small face blurs visibly under linear interpolation


class MeshSwapper:
    """Swaps faces without any model of its own; implements `FaceSwapper`. Holds no state between calls."""

    name = "mesh"
    digests: tuple[str, ...] = ()

    def __init__(self, settings: MeshSettings | None = None) -> None:
        self.settings = settings or MeshSettings()
        self.topology = shipped_topology()
        self.masks = Masks.build(self.topology, self.settings)

    def enrol(self, photos: Sequence[tuple[Pixels, Face]]) -> MeshIdentity:
        """Prepare an identity from one or more photos of the same person.

        Raises `FaceRefused('no_source')` without a photo and `FaceRefused('face_too_small')` for a tiny face.
        """
        if not photos:
            raise FaceRefused("no_source", "There is no source photo.", "Give at least one photo of the person.")
        for _, face in photos:
            self._check_size(face)
        return enrol(photos, self.topology, self.masks, self.settings)

    def swap(self, pixels: Pixels, face: Face, identity: Any) -> SwappedRegion:
        """Render the identity on the face. The input picture is not changed.

        Raises `FaceRefused` with `face_too_small` under 24 px ear to ear, `face_outside` where no part is visible.
        """
        if not isinstance(identity, MeshIdentity):
            raise TypeError("the identity was not enrolled by the mesh engine")
        self._check_size(face)
        placement = drawn_meshes(face.mesh, identity.shape, self.topology, self.settings)
        canvas = Canvas.lay(placement, self.topology, (pixels.shape[0], pixels.shape[1]))
        half, full = canvas.layout_positions()
        under = np.ascontiguousarray(pixels[canvas.y : canvas.y + canvas.height, canvas.x : canvas.x + canvas.width])
        target = self._flat_target(under, face, placement, canvas)
        shown = (
            identity.valid * skin_likelihood(target, self.masks) * (1 - glasses(target, self.masks, self.masks.eyes))
        )
        common = shown * self.masks.skin
        light = relight(identity.small, target, common, self.masks, self.settings)
        return SwappedRegion(
            x=canvas.x,
            y=canvas.y,
            pixels=self._drawn(identity.texture(placement.pose.scale), light, (half, full), canvas),
            weight=self._weight(shown, placement.pose.to_model(face.mesh), half, canvas),
            base=_warped(under, placement, canvas),
        )

    def _check_size(self, face: Face) -> None:
        if face.width < self.settings.smallest_face:
            raise FaceRefused(
                "face_too_small",
                f"The face is {face.width:.0f} pixels wide; {self.settings.smallest_face:.0f} are needed.",
                "Use a larger picture or come closer to the camera.",
            )

    def _flat_target(self, under: Pixels, face: Face, placement: Placement, canvas: Canvas) -> Floats:
        """The target's face in the flat layout, float32 (n, n, 3), small: for colours and skin only."""
        side = self.settings.small_side
        centres = texel_centres(side)
        maps = triangle_maps(self.topology.uv * side, np.ascontiguousarray(face.mesh[:, :2]), self.topology.triangles)
        where = evaluate(self.topology.texels(side), maps, centres, centres, -1e4)
        per_texel = max(1, round(CM_PER_LAYOUT * 0.7 * placement.pose.scale / side))
        smooth = under if per_texel < 2 else cv2.blur(under, (per_texel, per_texel))
        return look_up(smooth, where - np.array([canvas.x, canvas.y], np.float32)).astype(np.float32)

    def _drawn(self, texture: Pixels, light: Relight, layout: tuple[Floats, Floats], canvas: Canvas) -> Pixels:
        """The relit texture over the rectangle, uint8 (h, w, 3); `layout` at half and full resolution."""
        half, full = layout[0] * np.float32(light.gain.shape[0]), layout[1] * np.float32(texture.shape[0])
        drawn = look_up(texture, full)
        gain = canvas.enlarge(look_up(light.gain, half))
        if light.offset is None:
            plain: Pixels = cv2.multiply(drawn, gain, dtype=cv2.CV_8U)
            return plain
        lit = cv2.multiply(drawn, gain, dtype=cv2.CV_16S)
        shown: Pixels = cv2.add(lit, canvas.enlarge(look_up(light.offset, half)), dtype=cv2.CV_8U)
        return shown

    def _weight(self, shown: Floats, shape: Floats, half: Floats, canvas: Canvas) -> Floats:
        """How much of the drawn face shows, float32 (h, w) 0..1; looked up at half resolution, for folds are jagged."""
        side = self.settings.mask_side
        ajar = float(np.clip((lips_apart(shape) - CLOSED) / (AJAR - CLOSED), 0, 1))
        paste = self.masks.paste * (1 - self.masks.mouth * np.float32(ajar))
        mask = paste * cv2.resize(shown, (side, side), interpolation=cv2.INTER_LINEAR)
        shades = np.round(np.clip(mask, 0, 1) * 255).astype(np.uint8)  # 8 bits are enough, and quicker
        weight = cv2.multiply(look_up(shades, half * np.float32(side)), canvas.face(), scale=1 / 255, dtype=cv2.CV_32F)
        return canvas.enlarge(np.asarray(weight, np.float32))


def _warped(under: Pixels, placement: Placement, canvas: Canvas) -> Pixels:
    """The target's own pixels, moved so that they meet the face's new outline: uint8 (h, w, 3)."""
    back = np.ascontiguousarray((placement.before - placement.after)[:, :2])
    shift = canvas.enlarge(canvas.carry(back, 0))
    shift[..., 0] += np.arange(canvas.width, dtype=np.float32)
    shift[..., 1] += np.arange(canvas.height, dtype=np.float32)[:, None]
    small = canvas.width * canvas.height < CUBIC_BELOW
    return sample(under, shift, cv2.INTER_CUBIC if small else cv2.INTER_LINEAR)
