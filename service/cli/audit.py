"""`assent audit`: exporting and checking the tamper-evident log."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from service.cli.context import open_server

app = typer.Typer(help="The tamper-evident audit log.", no_args_is_help=True)
_console = Console(highlight=False, soft_wrap=True)
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="A new folder, or a file that ends in .zip.")],
    since: Annotated[datetime | None, typer.Option("--from", formats=_FORMATS, help="UTC, inclusive.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", formats=_FORMATS, help="UTC, exclusive.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Other tenants' events are exported as hashes only.")] = None,
    force: Annotated[bool, typer.Option(help="Replace what is at --out.")] = False,
) -> None:
    """Write a bundle that proves itself: events, checkpoints, proofs, public keys, and the verifier to run on it."""
    import shutil

    from service.audit.events import EventKind, Ref
    from service.audit.export import ExportError, export_bundle
    from service.audit.queries import index_range
    from service.audit.recorder import record
    from service.platform.problems import Problem, not_found
    from service.tenants.tables import Tenant

    if out.exists() and not (force and _is_export(out)):
        hint = "Name another place." if force else "Name another place, or replace an earlier export with --force."
        raise Problem(409, "exists", f"{out} exists already{' and is not an export' if force else ''}.", hint=hint)
    with open_server() as server:
        server.sequencer.checkpoint()
        with server.database.write() as session:
            if tenant is not None and session.get(Tenant, tenant) is None:
                raise not_found("tenant")
            first, end = index_range(session, _utc(since), _utc(until))
            refs: dict[str, Ref] = {"first": first, "end": end, "format": "bundle"}
            record(session, EventKind.EXPORT_MADE, tenant_id=tenant, actor="operator", refs=refs)
        if out.exists():
            shutil.rmtree(out) if out.is_dir() else out.unlink()
        try:
            with Progress(console=Console(stderr=True)) as bar:
                task = bar.add_task("Exporting", total=end - first)
                done = export_bundle(
                    server.database,
                    server.vault,
                    server.log_keys,
                    out,
                    first=first,
                    end=end,
                    tenant_id=tenant,
                    progress=lambda count, _total: bar.update(task, completed=count),
                )
        except ExportError as error:
            raise Problem(422, "nothing_to_export", str(error)) from error
    _console.print(f"{done.end - done.first} events in {out}. Anybody can check them: python3 -I {out}/verify.py {out}")


def _is_export(path: Path) -> bool:
    """Whether this was written by an export, so that replacing it destroys nothing else."""
    return (
        path.suffix == ".zip" if path.is_file() else (path / "verify.py").exists() and (path / "manifest.txt").exists()
    )


def _utc(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None else None


@app.command()
def verify() -> None:
    """Recompute the whole tree from the stored events and compare it with everything that was ever signed."""
    from service.audit.selfcheck import check_log

    with open_server() as server:
        server.sequencer.sequence()
        keys = server.log_keys
        with server.database.read() as session:
            check = check_log(session, keys.origin, keys.verifiers, keys.memory)
    if check.ok:
        _console.print(f"sound: {check.size} events, root {check.root.hex()}")
        return
    for problem in check.problems:
        _console.print(f"[red]damaged:[/] {problem}")
    raise typer.Exit(1)


@app.command()
def checkpoint() -> None:
    """Sign and print a checkpoint of everything logged so far."""
    with open_server() as server:
        typer.echo(server.sequencer.checkpoint().note, nl=False)


@app.command()
def receipt(event: Annotated[str, typer.Argument(help="The id of an event: evt_…")]) -> None:
    """Print the receipt of an event: an inclusion proof and a signed checkpoint that verify offline."""
    from service.audit.queries import receipt_for
    from service.platform.problems import not_found

    with open_server() as server:
        server.sequencer.checkpoint()
        with server.database.read() as session:
            proof = receipt_for(session, event)
    if proof is None:
        raise not_found("event")
    typer.echo(proof, nl=False)


@app.command("check-receipt")
def check_receipt(
    file: Annotated[Path, typer.Argument(help="A .tlog-proof file.", exists=True, dir_okay=False)],
    keys: Annotated[Path | None, typer.Option(help="Verifier keys to trust; this server's own by default.")] = None,
) -> None:
    """Check a receipt offline and print the event that it proves."""
    from provenance.audit import LogKeys, ProofError, parse_vkey, verify_receipt
    from service.cli.context import open_settings
    from service.platform.problems import Problem

    settings = open_settings()
    if keys is not None:
        verifiers = [parse_vkey(line) for line in keys.read_text().splitlines() if line.strip()]
    else:
        verifiers = list(LogKeys.open(settings.home / "keys" / "audit", settings.audit_origin).verifiers)
    try:
        proven, tree = verify_receipt(file.read_text(), settings.audit_origin, verifiers)
    except ProofError as error:
        raise Problem(422, "receipt_invalid", str(error)) from error
    leaf = proven.leaf.decode() if proven.leaf else "(the receipt does not carry the event)"
    _console.print(f"proven: event {proven.index} of the {tree.size} under {tree.origin}\n{leaf}", markup=False)
