"""`assent tenants`, `assent keys`, `assent reviewers`: who may use the server."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import select

from service.cli.context import open_server

tenants = typer.Typer(help="Organisations.", no_args_is_help=True)
keys = typer.Typer(help="API keys of an organisation.", no_args_is_help=True)
reviewers = typer.Typer(help="People who decide cases at /admin.", no_args_is_help=True)
_console = Console(highlight=False)

TenantId = Annotated[str, typer.Option("--tenant", help="The organisation's id, as `assent tenants list` shows it.")]


@tenants.command("add")
def add_tenant(name: str) -> None:
    """Add an organisation and print its id."""
    from service.audit.events import EventKind
    from service.audit.recorder import record
    from service.tenants.keys import create_tenant

    with open_server() as server, server.database.write() as session:
        tenant = create_tenant(session, name)
        refs = {"tenant": tenant.id}
        record(session, EventKind.TENANT_CREATED, tenant_id=tenant.id, actor="operator", refs=refs)
        _console.print(tenant.id)


@tenants.command("list")
def list_tenants() -> None:
    """List the organisations."""
    from service.tenants.tables import Tenant

    with open_server() as server, server.database.read() as session:
        for tenant in session.scalars(select(Tenant).order_by(Tenant.created_at)):
            _console.print(f"{tenant.id}  {tenant.name}", markup=False, soft_wrap=True)


@keys.command("add")
def add_key(tenant: TenantId, name: Annotated[str, typer.Option(help="What the key is for.")] = "default") -> None:
    """Make an API key and print it. It is shown this once and cannot be read again."""
    from service.audit.events import EventKind
    from service.audit.recorder import record
    from service.tenants.keys import create_api_key

    with open_server() as server, server.database.write() as session:
        _require_tenant(session, tenant)
        key, secret = create_api_key(session, server.pepper, tenant, name)
        record(session, EventKind.KEY_CREATED, tenant_id=tenant, actor="operator", refs={"key": key.id})
        _console.print(secret)


@keys.command("revoke")
def revoke_key(key_id: str) -> None:
    """Revoke an API key by its id; requests with it fail from now on."""
    from service.audit.events import EventKind
    from service.audit.recorder import record
    from service.platform.database import now
    from service.platform.problems import not_found
    from service.tenants.tables import ApiKey

    with open_server() as server, server.database.write() as session:
        key = session.get(ApiKey, key_id)
        if key is None:
            raise not_found("API key")
        key.revoked_at = key.revoked_at or now()
        refs = {"key": key.id}
        record(session, EventKind.KEY_REVOKED, tenant_id=key.tenant_id, actor="operator", refs=refs)


@keys.command("list")
def list_keys(tenant: TenantId) -> None:
    """List the keys of an organisation, without their secrets."""
    from service.tenants.tables import ApiKey

    with open_server() as server, server.database.read() as session:
        for key in session.scalars(select(ApiKey).where(ApiKey.tenant_id == tenant).order_by(ApiKey.created_at)):
            state = "revoked" if key.revoked_at else "live"
            _console.print(f"{key.id}  {state:8} {key.created_at:%Y-%m-%d}  {key.name}", markup=False)


@reviewers.command("add")
def add_reviewer(
    tenant: TenantId,
    email: str,
    password: Annotated[
        str,
        typer.Option(prompt=True, confirmation_prompt=True, hide_input=True, envvar="ASSENT_REVIEWER_PASSWORD"),
    ],
) -> None:
    """Add a person who may review the organisation's cases; asks for a password of 12 characters or more."""
    from service.audit.events import EventKind
    from service.audit.recorder import record
    from service.tenants.passwords import check_password
    from service.tenants.reviewers import create_reviewer

    check_password(password)
    with open_server() as server, server.database.write() as session:
        _require_tenant(session, tenant)
        reviewer = create_reviewer(session, tenant, email, password)
        refs = {"reviewer": reviewer.id}
        record(session, EventKind.REVIEWER_ADDED, tenant_id=tenant, actor="operator", refs=refs)
        _console.print(reviewer.id)


@reviewers.command("list")
def list_reviewers(tenant: TenantId) -> None:
    """List the people who review for an organisation, also those who were removed."""
    from service.tenants.tables import Reviewer

    with open_server() as server, server.database.read() as session:
        _require_tenant(session, tenant)
        query = select(Reviewer).where(Reviewer.tenant_id == tenant)
        for reviewer in session.scalars(query.order_by(Reviewer.created_at, Reviewer.id)):
            state = "removed" if reviewer.removed_at else "live"
            line = f"{reviewer.id}  {state:8} {reviewer.created_at:%Y-%m-%d}  {reviewer.email}"
            _console.print(line, markup=False, soft_wrap=True)


@reviewers.command("remove")
def remove(email: str) -> None:
    """Take away a person's access at once. What they have decided still says whose decision it was."""
    from service.audit.events import EventKind
    from service.audit.recorder import record
    from service.tenants.reviewers import remove_reviewer, reviewer_at

    with open_server() as server, server.database.write() as session:
        reviewer = reviewer_at(session, email)
        ended = remove_reviewer(session, reviewer)
        refs = {"reviewer": reviewer.id}
        record(session, EventKind.REVIEWER_REMOVED, tenant_id=reviewer.tenant_id, actor="operator", refs=refs)
    _console.print(f"{reviewer.id} is removed; {_log_ins(ended)} ended")


@reviewers.command("log-out")
def log_out(email: str) -> None:
    """End every log-in of a person, as when a computer was lost. They may log in again."""
    from service.audit.events import EventKind
    from service.audit.recorder import record
    from service.tenants.reviewers import reviewer_at
    from service.tenants.sessions import close_all_sessions

    with open_server() as server, server.database.write() as session:
        reviewer = reviewer_at(session, email)
        ended = close_all_sessions(session, reviewer.id)
        refs = {"reviewer": reviewer.id, "reason": "by_operator"}
        record(session, EventKind.LOGGED_OUT, tenant_id=reviewer.tenant_id, actor="operator", refs=refs)
    _console.print(f"{_log_ins(ended)} ended")


def _log_ins(count: int) -> str:
    return f"{count} log-in" if count == 1 else f"{count} log-ins"


def _require_tenant(session: object, tenant_id: str) -> None:
    from sqlalchemy.orm import Session

    from service.platform.problems import not_found
    from service.tenants.tables import Tenant

    assert isinstance(session, Session)  # noqa: S101 - narrows the lazily imported type
    if session.get(Tenant, tenant_id) is None:
        raise not_found("tenant")
