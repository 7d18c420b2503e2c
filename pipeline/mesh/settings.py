"""The mesh engine's constants, with the effect that each was measured to have."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeshSettings:
    """How the mesh engine draws a face; lengths are in layout (UV) units unless they say otherwise.

    The values were tuned on all ordered pairs of 16 synthetic adults for identity, expression and seams together.
    """

    shape_share: float = 1.0  # of the source's shape, inside the face; more costs expression
    outline_share: float = 0.45  # of the source's shape, on the oval; the ring outside follows
    outline_fade: float = 0.12  # over this distance from the oval one becomes the other
    inset: float = 0.01  # the face's edge is blended this far inside the oval …
    feather: float = 0.05  # … over a ramp of this width
    reach: float = 0.40  # to each side of the middle: the ears and what hides them stay the target's
    rim_scale: float = 0.12  # scale of the colour match at the rim
    core_scale: float = 0.30  # the same inside; a small one copies the target's shading, and with it its identity
    rim_width: float = 0.22  # over which the rim's scale becomes the core's
    largest_gain: float = 1.6  # of the local colour match
    contrast_low: float = 0.85  # bounds of the gain on the spread of lightness and chroma
    contrast_high: float = 1.15
    relief_excess: float = 1.5  # how much rougher than the target's skin the drawn one may be; more looks harsh
    relief_floor: float = 3.0  # grey levels of roughness that are never held against a face
    relief_least: float = 0.5  # share of the relief that always stays
    relief_limit: float = 0.40  # of the light: relief beyond it (hard edges of shadows) is softened
    relief_colour: float = 0.6  # share of the colour in the relief that stays (freckles); the rest would stain
    stray_light: float = 14.0  # L*: so far may the lit face stray from the target's broad light …
    stray_colour: float = 9.0  # a*, b*: … and from its colour;
    stray_kept: float = 0.35  # this share of what goes beyond is kept
    relief_scale: float = 0.05  # the finest scale that counts as light and not as relief
    texture_side: int = 512  # texels
    mask_side: int = 256  # texels
    small_side: int = 96  # texels of the pictures that colour and skin are measured on
    eye_shrink: int = 6  # mask texels by which the eye holes shrink, so that the lashes are the source's
    smallest_face: float = 24.0  # pixels, ear to ear
