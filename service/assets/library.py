"""Keeping uploaded pictures: decoded once to be sure, stored encrypted under a key of their own."""

from __future__ import annotations

import hashlib

from sqlalchemy.orm import Session

from pipeline.decode import decode_picture
from pipeline.picture import Picture
from service.assembly import Assent
from service.assets.tables import Asset
from service.audit.events import EventKind
from service.audit.recorder import record
from service.platform.access import Caller
from service.platform.blobs import BlobMissing
from service.platform.database import now
from service.platform.ids import new_id
from service.platform.problems import Problem, not_found
from service.platform.vault import KeyDestroyed, KeyOwner


def add_asset(server: Assent, caller: Caller, data: bytes) -> Asset:
    """Decode in the sandbox, then store. Raises `PictureRefused` with a code the caller can act on."""
    asset = _described(server, caller, data)
    with server.database.write() as session:
        server.blobs.put(session, owner_of(asset.id), asset.id, data)
        session.add(asset)
        refs = {"asset": asset.id, "media_type": asset.media_type}
        record(session, EventKind.ASSET_ADDED, tenant_id=caller.tenant_id, actor=caller.actor, refs=refs)
    return asset


def _described(server: Assent, caller: Caller, data: bytes) -> Asset:
    """What decoding tells of the picture. The pixels end here: none are held while the database is waited for."""
    picture = decode_picture(data, server.picture_limits)
    height, width = picture.pixels.shape[:2]
    return Asset(
        id=new_id("ast"),
        tenant_id=caller.tenant_id,
        media_type=picture.media_type,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        width=width,
        height=height,
        notices=list(picture.notices),
        created_at=now(),
    )


def find_asset(session: Session, tenant_id: str, asset_id: str) -> Asset:
    """The tenant's asset; 404 for others', 410 for an erased one."""
    asset = session.get(Asset, asset_id)
    if asset is None or asset.tenant_id != tenant_id:
        raise not_found("asset")
    if asset.erased_at is not None:
        raise Problem(410, "asset_erased", f"The asset {asset_id} was erased.")
    return asset


def load_bytes(server: Assent, session: Session, asset_id: str) -> bytes:
    """The uploaded bytes, for the worker and for reviewers. Raises `Problem` 410 when they were erased."""
    try:
        return server.blobs.get(session, owner_of(asset_id), asset_id)
    except (KeyDestroyed, BlobMissing):
        raise Problem(410, "asset_erased", f"The asset {asset_id} was erased.") from None


def load_picture(server: Assent, session: Session, asset_id: str) -> tuple[bytes, Picture]:
    """The uploaded bytes and what they decode to."""
    data = load_bytes(server, session, asset_id)
    return data, decode_picture(data, server.picture_limits)


def erase_asset(server: Assent, session: Session, asset: Asset, actor: str) -> None:
    """Destroy the asset's key and its bytes."""
    if asset.erased_at is not None:
        return
    server.vault.destroy(session, owner_of(asset.id))
    server.blobs.delete(session, asset.id)
    asset.erased_at = now()
    refs = {"asset": asset.id}
    record(session, EventKind.ASSET_ERASED, tenant_id=asset.tenant_id, actor=actor, refs=refs)


def owner_of(asset_id: str) -> KeyOwner:
    """Whose key an asset is encrypted under: its own."""
    return KeyOwner("asset", asset_id)
