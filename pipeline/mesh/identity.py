"""Makes an identity out of photos: one texture in the flat layout and one shape, fused by how frontal each photo is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.faces import Face, Floats, Pixels
from pipeline.mesh.colour import even_relief, masked_blur
from pipeline.mesh.geometry import Similarity, facing_camera, fit_similarity
from pipeline.mesh.masks import Masks
from pipeline.mesh.raster import evaluate, look_up, texel_centres, triangle_maps
from pipeline.mesh.settings import MeshSettings
from pipeline.mesh.skin import glasses, grown_skin, skin_likelihood
from pipeline.mesh.topology import Topology

CM_PER_LAYOUT = 22.0  # what the layout's unit is on a face, about
HIDDEN, SHOWN = 0.2, 0.5  # cosines to the view: past 78 degrees a surface is not seen, within 60 it is seen well


@dataclass(frozen=True, eq=False)
class MeshIdentity:
    """A person, as the mesh engine draws them.

    `textures` are uint8 BGR pictures of the flat layout, each half the size of the one before; `shape` float32 (468, 3)
    centimetres; `small` float32 (n, n, 3) the texture for colour measurements, `valid` float32 (n, n) 0..1 where it
    shows the person's own skin.
    """

    textures: tuple[Pixels, ...]
    shape: Floats
    small: Floats
    valid: Floats

    def texture(self, pixels_per_cm: float) -> Pixels:
        """The texture that fits a face drawn at this size: at least one texel a pixel, fewer than two."""
        finest = self.textures[0].shape[0] / CM_PER_LAYOUT / max(pixels_per_cm, 1e-3)
        level = int(np.clip(np.floor(np.log2(max(finest, 1e-6)) + 0.2), 0, len(self.textures) - 1))
        return self.textures[level]


@dataclass(frozen=True, eq=False)
class _View:
    """One photo in the flat layout: texture float32, how well each texel is seen and whether it is skin (0..1).

    With the person's shape and how frontal the photo is overall.
    """

    texture: Floats
    seen: Floats
    skin: Floats
    shape: Floats
    frontal: float


def enrol(
    photos: Sequence[tuple[Pixels, Face]], topology: Topology, masks: Masks, settings: MeshSettings
) -> MeshIdentity:
    """Build the identity of the one person that all photos show."""
    views = sorted((_view(*photo, topology, masks, settings) for photo in photos), key=lambda view: -view.frontal)
    texture, seen, skin = _fuse(views)
    texture, skin = _mirror_fill(texture, seen, skin, topology)
    calm = cv2.resize(masks.calm, skin.shape, interpolation=cv2.INTER_LINEAR)
    texture = _closed_mouth(texture, masks)
    texture = even_relief(_skin_fill(texture, skin, masks), np.asarray(calm, np.float32), settings)
    weights = np.array([view.frontal**2 for view in views], np.float32)
    shape = np.tensordot(weights / weights.sum(), np.stack([view.shape for view in views]), axes=1)
    textures = [np.clip(np.round(texture), 0, 255).astype(np.uint8)]
    while textures[-1].shape[0] > settings.small_side:
        half = textures[-1].shape[0] // 2
        textures.append(cv2.resize(textures[-1], (half, half), interpolation=cv2.INTER_AREA))
    small = _small(textures[0], settings)
    valid = np.clip(2 * _reduced(skin, settings.small_side), 0, 1)  # half filled is good enough
    return MeshIdentity(tuple(textures), shape.astype(np.float32), small, np.asarray(valid, np.float32))


def flatten(pixels: Pixels, mesh: Floats, pose: Similarity, topology: Topology, side: int) -> Pixels:
    """Sample a face into the flat layout, uint8 (side, side, 3); smoothed first where the photo is the finer one."""
    centres = texel_centres(side)
    maps = triangle_maps(topology.uv * side, np.ascontiguousarray(mesh[:, :2]), topology.triangles)
    where = evaluate(topology.texels(side), maps, centres, centres, -1e4)
    photo_per_texel = CM_PER_LAYOUT * pose.scale / side
    fine = cv2.GaussianBlur(pixels, (0, 0), 0.3 * photo_per_texel) if photo_per_texel > 1.5 else pixels
    return look_up(fine, where, cv2.INTER_CUBIC).astype(np.uint8)


def _view(pixels: Pixels, face: Face, topology: Topology, masks: Masks, settings: MeshSettings) -> _View:
    side = settings.texture_side
    pose = fit_similarity(topology.shape, face.mesh, topology.stiffness)
    texture = flatten(pixels, face.mesh, pose, topology, side)
    facing = facing_camera(face.mesh, topology)
    seen = _over_layout(np.clip((facing - HIDDEN) / (SHOWN - HIDDEN), 0, 1), topology, side)
    small = _small(texture, settings)
    own = np.minimum(grown_skin(small, masks), skin_likelihood(small, masks)) * (
        1 - glasses(small, masks, masks.eyes_brows)
    )
    skin = cv2.resize(own, (side, side), interpolation=cv2.INTER_LINEAR)
    margin = np.ones((side // 80, side // 80), np.uint8)  # at the edge of what is seen the background shines through
    skin = cv2.GaussianBlur(cv2.erode(skin, margin), (0, 0), side / 80)
    seen = cv2.GaussianBlur(cv2.erode(seen, margin), (0, 0), side / 80) * skin
    frontal = max(abs(float(pose.rotation[2, 2])), 0.05)
    return _View(texture.astype(np.float32), seen, skin, pose.to_model(face.mesh), frontal)


def _over_layout(values: Floats, topology: Topology, side: int) -> Floats:
    """Values of the vertices (468,) as a picture of the layout, flat over each triangle, 0 outside."""
    numbers = topology.texels(side)
    return np.where(numbers >= 0, values[topology.triangles].mean(axis=1)[numbers], 0).astype(np.float32)


def _fuse(views: Sequence[_View]) -> tuple[Floats, Floats, Floats]:
    """One texture float32, how well it is seen and whether it is skin.

    Every texel comes mostly from the photo that sees it best. The photos are brought to the light of the first, the
    most frontal one.
    """
    first = views[0]
    if len(views) == 1:
        return first.texture, first.seen, first.skin
    textures, weights = [first.texture], [_best_first(first)]
    for view in views[1:]:
        textures.append(view.texture * _relight(first.texture, view.texture, first.seen * view.seen))
        weights.append(_best_first(view))
    shares = np.stack(weights)[..., None]
    fused = (np.stack(textures) * shares).sum(axis=0) / shares.sum(axis=0)
    seen, skin = (np.max([getattr(view, name) for view in views], axis=0) for name in ("seen", "skin"))
    return np.asarray(fused, np.float32), seen, skin


def _best_first(view: _View) -> Floats:
    """Fusion weights; the high power keeps two slightly different photos from ghosting."""
    return np.asarray((view.seen * view.frontal) ** 8 + 1e-6, dtype=np.float32)


def _relight(reference: Floats, picture: Floats, common: Floats) -> Floats:
    """The smooth gain that brings a picture to the reference's light, measured where both are seen."""
    both = (common > 0.3).astype(np.float32)
    if both.mean() < 0.01:
        return np.ones_like(reference)
    sigma = reference.shape[0] / 12
    gain = (masked_blur(reference, both, sigma) + 4) / (masked_blur(picture, both, sigma) + 4)
    return np.asarray(np.clip(gain, 0.6, 1.6), dtype=np.float32)


def _mirror_fill(texture: Floats, seen: Floats, skin: Floats, topology: Topology) -> tuple[Floats, Floats]:
    """Fill what no photo shows (turned away, or under hair) from the other half of the face, in this half's light.

    Returns the texture and what of it is skin now.
    """
    flipped, flipped_seen = (np.ascontiguousarray(a[:, ::-1]) for a in (texture, seen))
    gain = _relight(texture, flipped, seen * flipped_seen * (topology.texels(seen.shape[0]) >= 0))
    own = seen * (1 + 1e-3) / (seen + (1 - seen) * flipped_seen + 1e-3)
    own = np.where(flipped_seen < seen, 1, own)[..., None]
    filled = np.asarray(texture * own + flipped * gain * (1 - own), dtype=np.float32)
    return filled, np.maximum(skin, flipped_seen)


def _skin_fill(texture: Floats, skin: Floats, masks: Masks) -> Floats:
    """Put smooth skin where there is none, out of the skin nearby: a blend that ends there shows no hair."""
    side = masks.skin.shape[0]
    small, known = _reduced(texture, side), _reduced(skin, side) ** 4 * masks.skin
    smooth = masked_blur(small, known, side / 4)
    for share in (10, 24, 48):
        near = _blurred(known, side / share)[..., None]
        trusted = np.clip(near / 0.2, 0, 1)
        smooth = smooth * (1 - trusted) + masked_blur(small, known, side / share) * trusted
    whole = cv2.resize(np.asarray(smooth, np.float32), skin.shape, interpolation=cv2.INTER_CUBIC)
    return np.asarray(texture * skin[..., None] + whole * (1 - skin[..., None]), dtype=np.float32)


def _closed_mouth(texture: Floats, masks: Masks) -> Floats:
    """Paint lips over teeth and tongue, which are never shown: a little darker, as where lips meet."""
    hole = np.asarray(cv2.resize(masks.mouth, texture.shape[:2]), np.float32)[..., None]
    line = np.median(texture[(hole[..., 0] > 0.02) & (hole[..., 0] < 0.4)], axis=0) * np.float32(0.8)
    return np.asarray(texture * (1 - hole) + line * hole, dtype=np.float32)


def _small(texture: Pixels, settings: MeshSettings) -> Floats:
    return _reduced(texture.astype(np.float32), settings.small_side)


def _reduced(picture: Floats, side: int) -> Floats:
    reduced: Floats = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return reduced


def _blurred(picture: Floats, sigma: float) -> Floats:
    blurred: Floats = cv2.GaussianBlur(picture, (0, 0), sigma)
    return blurred
