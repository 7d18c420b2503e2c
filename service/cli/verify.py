"""`assent verify`: checking a file offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.cli.context import open_settings


def verify(
    file: Annotated[Path, typer.Argument(help="The picture to check.", exists=True, dir_okay=False)],
    trust: Annotated[
        Path | None,
        typer.Option(help="PEM file of the roots to trust; this server's own by default.", exists=True, dir_okay=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
) -> None:
    """Check a picture: Content Credentials by two independent verifiers, and the watermark. Works without a server.

    Exit status 0 for an authentic file, 1 for anything else.
    """
    from pipeline.decode import decode_picture
    from provenance.pki import DevelopmentPki
    from provenance.verify import verify_file
    from provenance.watermark import Watermarker
    from service.assembly import given_master_key
    from service.platform.vault import FileKeyProvider

    settings = open_settings()
    secrets = settings.home / "keys"
    master, given = secrets / "master.key", given_master_key(settings)
    # Without this server's key the watermark cannot be looked for; a file that checks offline must not make one.
    own = given is not None or master.exists()
    marks = Watermarker(FileKeyProvider(master, given).derive("watermark")) if own else None
    pem = trust.read_text() if trust else (DevelopmentPki.open(secrets / "pki").trust_pem if own else None)
    report = verify_file(file.read_bytes(), None, pem, marks, lambda data: decode_picture(data).pixels)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        mark = f", watermark {report.reading.ident:012x}" if report.reading else ""
        Console(highlight=False).print(f"{file}: {report.verdict}{mark}", *report.notes, sep="\n  ")
    raise typer.Exit(0 if report.verdict == "authentic" else 1)
