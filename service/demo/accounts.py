"""The demonstration's tenant, API key and reviewer, made in its own fresh home folder."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from service.assembly import Assent
from service.demo.server import model_folder
from service.platform.migrate import upgrade
from service.platform.settings import Settings
from service.tenants.keys import create_api_key, create_tenant
from service.tenants.reviewers import create_reviewer


@dataclass(frozen=True)
class Accounts:
    """What the story logs in with."""

    tenant_id: str
    api_key: str
    email: str
    password: str


def make_accounts(home: Path, database_url: str = "") -> Accounts:
    """Make the database and the accounts; returns their secrets."""
    server = Assent(Settings(home=home, models=model_folder().absolute(), database_url=database_url))
    try:
        upgrade(server.database)
        email, password = "reviewer@demo.invalid", secrets.token_urlsafe(12)
        with server.database.write() as session:
            tenant = create_tenant(session, "Demonstration")
            _, api_key = create_api_key(session, server.pepper, tenant.id, "demonstration")
            create_reviewer(session, tenant.id, email, password)
        return Accounts(tenant.id, api_key, email, password)
    finally:
        server.close()
