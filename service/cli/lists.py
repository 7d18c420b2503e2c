"""`assent lists`: the operator's lists of protected people and known pictures, which count for every organisation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from service.cli.context import open_server

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.hashlists.tables import PictureList
    from service.protected.tables import ProtectedList

app = typer.Typer(help="People and pictures that may not be used, whoever asks.", no_args_is_help=True)
people = typer.Typer(help="Protected people: only templates are kept, encrypted.", no_args_is_help=True)
pictures = typer.Typer(help="Known pictures: only perceptual hashes are kept.", no_args_is_help=True)
app.add_typer(people, name="people")
app.add_typer(pictures, name="pictures")
_console = Console(highlight=False, soft_wrap=True)

ListName = Annotated[str, typer.Option("--list", help="The list's name; it is made where it does not exist.")]
Photos = Annotated[list[Path], typer.Argument(help="Pictures.", exists=True, dir_okay=False)]
PeopleKind = Literal["public_figures", "victims", "other"]


@people.command("add")
def add_people(
    photos: Photos,
    name: ListName,
    kind: Annotated[PeopleKind, typer.Option(help="What a new list is for.")] = "other",
) -> None:
    """Add the person in each photo, which has to show exactly one face; prints the entries' ids."""
    import numpy as np

    from pipeline.decode import decode_picture
    from service.protected import register

    with open_server() as server:
        rows = [register.template_from_photo(server, decode_picture(p.read_bytes()).pixels) for p in photos]
        embedder = register.embedder_of(server.vision.engine.embedder)
        with server.database.write() as session:
            found = register.find_by_name(session, None, name)
            on = found or register.create_list(session, None, name, kind)
            ids = register.add_entries(
                server, session, on, np.stack(rows), embedder=embedder, actor="operator", origin="operator"
            )
    for photo, entry in zip(photos, ids, strict=True):
        _console.print(f"{entry}  {photo}", markup=False)


@people.command("remove")
def remove_person(entry: str, name: Annotated[str, typer.Option("--list", help="The list's name.")]) -> None:
    """Take a person off a list; the template is deleted."""
    from service.protected.register import remove_entry

    with open_server() as server, server.database.write() as session:
        remove_entry(session, _people_list(session, name), entry, actor="operator", reason="removed")


@people.command("list")
def list_people() -> None:
    """Show the lists and how many people are on each."""
    from service.protected.register import lists_of

    with open_server() as server, server.database.read() as session:
        for on, count in lists_of(session, None):
            _console.print(f"{on.id}  {count:8}  {on.kind:14}  {on.name}", markup=False)


@pictures.command("add")
def add_pictures(
    files: Photos, name: ListName, reason: Annotated[str, typer.Option(help="A code: why.")] = "operator"
) -> None:
    """Add pictures; prints the entries' ids."""
    from pipeline.decode import decode_picture
    from service.hashlists.register import add_picture, create_list, find_by_name

    loaded = [(file, decode_picture(file.read_bytes()).pixels) for file in files]
    with open_server() as server, server.database.write() as session:
        on = find_by_name(session, None, name) or create_list(session, None, name)
        for file, pixels in loaded:
            entry = add_picture(session, on, pixels, actor="operator", reason=reason)
            _console.print(f"{entry}  {file}", markup=False)


@pictures.command("remove")
def remove_picture(entry: str, name: Annotated[str, typer.Option("--list", help="The list's name.")]) -> None:
    """Take a picture off a list."""
    from service.hashlists.register import remove_entry

    with open_server() as server, server.database.write() as session:
        remove_entry(session, _picture_list(session, name), entry, actor="operator", reason="removed")


@pictures.command("list")
def list_pictures() -> None:
    """Show the lists and how many pictures are on each."""
    from service.hashlists.register import lists_of

    with open_server() as server, server.database.read() as session:
        for on, count in lists_of(session, None):
            _console.print(f"{on.id}  {count:8}  {on.name}", markup=False)


@pictures.command("import")
def import_hashes(
    file: Annotated[Path, typer.Argument(help="CSV with a column `hash`, or JSON.", exists=True, dir_okay=False)],
    name: ListName,
) -> None:
    """Add the PDQ hashes of somebody else's list."""
    from service.hashlists.exchange import parse
    from service.hashlists.register import add_entries, create_list, find_by_name

    hashes = parse(file.read_text(encoding="utf-8-sig"))
    with open_server() as server, server.database.write() as session:
        on = find_by_name(session, None, name) or create_list(session, None, name)
        added = add_entries(session, on, hashes, actor="operator", reason="imported", method="import")
        _console.print(f"{len(added)} pictures added to {on.name}", markup=False)


@pictures.command("export")
def export_hashes(
    name: Annotated[str, typer.Option("--list", help="The list's name.")],
    form: Annotated[Literal["csv", "json"], typer.Option("--format", help="The form.")] = "json",
) -> None:
    """Print a list for others to import."""
    from service.hashlists.exchange import export_csv, export_json

    with open_server() as server, server.database.read() as session:
        on = _picture_list(session, name)
        typer.echo((export_csv if form == "csv" else export_json)(session, on))


def _people_list(session: Session, name: str) -> ProtectedList:
    from service.platform.problems import not_found
    from service.protected.register import find_by_name

    on = find_by_name(session, None, name)
    if on is None:
        raise not_found("list")
    return on


def _picture_list(session: Session, name: str) -> PictureList:
    from service.hashlists.register import find_by_name
    from service.platform.problems import not_found

    on = find_by_name(session, None, name)
    if on is None:
        raise not_found("list")
    return on
