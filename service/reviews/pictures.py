"""Pictures as reviewers see them: blurred and grey until they ask for more, and every look is in the audit log.

The permission to see a sharp picture is the audit event itself: without a fresh `asset.revealed` of this reviewer there
is nothing sharp to fetch.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import cv2
import numpy as np
from sqlalchemy.orm import Session

from pipeline.decode import decode_picture
from pipeline.encode import encode_picture
from pipeline.faces import Pixels
from service.assets.library import find_asset, load_bytes
from service.assets.tables import Asset
from service.audit.events import EventKind
from service.audit.recorder import record
from service.platform.database import now
from service.platform.problems import Problem, not_found
from service.reviews.cases import open_case
from service.reviews.desk import Desk
from service.reviews.looks import picture_ids, uncovered_pictures

View = Literal["blurred", "sharp"]

SHARP_FOR = timedelta(seconds=60)

# People recognise familiar faces from about 7 x 10 pixels (Harmon and Julesz 1973; Sinha et al. 2006, result 1). So a
# portrait that fills the picture must get fewer: the composition can be told, who it is and what happens hardly.
_BLURRED_SIDE = 10
_SHOWN_SIDE = 480
_SHARP_SIDE = 1600
_QUALITY = 88


def see_picture(desk: Desk, job_id: str, asset_id: str, view: View) -> bytes:
    """The picture of an open case as JPEG. It is logged first; a sharp one needs a fresh reveal by this reviewer."""
    with desk.server.database.write() as session:
        asset = _picture_of_case(session, desk, job_id, asset_id)
        if view == "sharp" and asset_id not in sharp_pictures(session, desk, job_id):
            detail = "The picture is covered again."
            raise Problem(403, "not_revealed", detail, hint="Go back to the case and uncover it once more.")
        refs = {"asset": asset.id, "job": job_id, "method": view}
        record(session, EventKind.ASSET_VIEWED, tenant_id=desk.tenant_id, actor=desk.reviewer.id, refs=refs)
        data = load_bytes(desk.server, session, asset.id)
    # Decoded anew in the sandbox: what goes to a reviewer's browser are our own bytes, never the uploaded ones.
    pixels = decode_picture(data, desk.server.picture_limits).pixels
    shown = blur(pixels) if view == "blurred" else _shrink(pixels, _SHARP_SIDE)
    return encode_picture(shown, media_type="image/jpeg", quality=_QUALITY)


def reveal_picture(desk: Desk, job_id: str, asset_id: str) -> None:
    """Log that the reviewer uncovers the picture; from then on they may fetch it sharp for `SHARP_FOR`."""
    with desk.server.database.write() as session:
        asset = _picture_of_case(session, desk, job_id, asset_id)
        refs = {"asset": asset.id, "job": job_id}
        record(session, EventKind.ASSET_REVEALED, tenant_id=desk.tenant_id, actor=desk.reviewer.id, refs=refs)


def sharp_pictures(session: Session, desk: Desk, job_id: str) -> dict[str, datetime]:
    """The pictures of the case that this reviewer has uncovered, with the time when they are covered again."""
    looks = uncovered_pictures(session, desk.reviewer, job_id, since=now() - SHARP_FOR)
    return {asset_id: at + SHARP_FOR for asset_id, at in looks.items()}


def blur(pixels: Pixels) -> Pixels:
    """Grey, and reduced to 10 blocks along the longer side before it is enlarged smoothly. BGR uint8 in and out."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    smooth = _resized(_resized(grey, _BLURRED_SIDE, cv2.INTER_AREA), _SHOWN_SIDE, cv2.INTER_CUBIC)
    return np.dstack([smooth] * 3)


def _shrink(pixels: Pixels, side: int) -> Pixels:
    return _resized(pixels, side, cv2.INTER_AREA) if max(pixels.shape[:2]) > side else pixels


def _resized(pixels: Pixels, side: int, interpolation: int) -> Pixels:
    """The picture, grey or BGR, with `side` as its longer side."""
    height, width = pixels.shape[:2]
    scale = side / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8)


def _picture_of_case(session: Session, desk: Desk, job_id: str, asset_id: str) -> Asset:
    """The asset, if it belongs to this open case; 404 otherwise."""
    case = open_case(session, desk.tenant_id, job_id)
    if asset_id not in picture_ids(case.job):
        raise not_found("picture")
    return find_asset(session, desk.tenant_id, asset_id)
