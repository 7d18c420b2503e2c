"""API keys: shown once, kept as a keyed hash, presented as `Authorization: Bearer ak_…`."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.platform.database import now
from service.platform.ids import new_id
from service.platform.problems import Problem
from service.tenants.tables import ApiKey, Tenant


def create_tenant(session: Session, name: str) -> Tenant:
    """Add an organisation. Raises `Problem` for a name that is empty, or taken."""
    name = name.strip()
    if not name:
        raise Problem(422, "invalid_name", "An organisation needs a name.")
    if session.scalar(select(Tenant.id).where(Tenant.name == name)) is not None:
        detail = "There is an organisation with this name already."
        raise Problem(409, "name_taken", detail, hint="`assent tenants list` shows its id.")
    tenant = Tenant(id=new_id("ten"), name=name, created_at=now())
    session.add(tenant)
    session.flush()
    return tenant


def create_api_key(session: Session, pepper: bytes, tenant_id: str, name: str) -> tuple[ApiKey, str]:
    """Make a key; returns its row and the secret, which is not kept anywhere."""
    secret = "ak_" + secrets.token_urlsafe(32)
    key = ApiKey(
        id=new_id("key"),
        tenant_id=tenant_id,
        name=name,
        digest=digest_of(pepper, secret),
        created_at=now(),
    )
    session.add(key)
    session.flush()
    return key, secret


def find_api_key(session: Session, pepper: bytes, secret: str) -> ApiKey | None:
    """The live key with this secret. Looked up by keyed hash, so timing tells nothing of the stored keys."""
    digest = digest_of(pepper, secret)
    return session.scalar(select(ApiKey).where(ApiKey.digest == digest, ApiKey.revoked_at.is_(None)))


def digest_of(pepper: bytes, secret: str) -> bytes:
    """HMAC-SHA-256 of a bearer secret under the server's pepper."""
    return hmac.digest(pepper, secret.encode(), hashlib.sha256)
