"""Rows that several tests of the service need."""

from __future__ import annotations

from datetime import timedelta

from service.assets.tables import Asset
from service.jobs.ledger import State
from service.jobs.tables import Job
from service.platform.database import Database, now
from service.platform.ids import new_id, new_watermark_id
from service.platform.migrate import upgrade
from service.tenants.tables import Tenant


def prepared_database(url: str, **info: object) -> Database:
    """A migrated, empty database."""
    database = Database(url, **info)
    upgrade(database)
    return database


def job_in(database: Database, state: State, *, age: timedelta = timedelta(0)) -> str:
    """A job in this state, of a tenant and with a target of its own; returns its id."""
    at = now() - age
    tenant, asset, job = new_id("ten"), new_id("ast"), new_id("job")
    with database.write() as session:
        session.add(Tenant(id=tenant, name=tenant, created_at=at))
        session.flush()
        picture = {
            "media_type": "image/png",
            "sha256": "0" * 64,
            "size": 1,
            "width": 64,
            "height": 64,
            "notices": [],
        }
        session.add(Asset(id=asset, tenant_id=tenant, created_at=at, **picture))
        session.flush()
        session.add(
            Job(
                id=job,
                tenant_id=tenant,
                state=state,
                purpose="test",
                target_asset_id=asset,
                source_asset_ids=[asset],
                target_basis={},
                stages={},
                output_type="image/jpeg",
                request_sha256="0" * 64,
                watermark_id=new_watermark_id(),
                reasons=[],
                created_at=at,
                updated_at=at,
                attempts=0,
            )
        )
    return job
