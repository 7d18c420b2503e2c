"""`assent demo`: the whole main job over the real HTTP server, on real pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    source: Annotated[
        Path | None,
        typer.Option(help="A photo of the person whose face is put on.", exists=True, dir_okay=False),
    ] = None,
    target: Annotated[
        Path | None, typer.Option(help="The picture whose face is replaced.", exists=True, dir_okay=False)
    ] = None,
    capture: Annotated[
        Path | None,
        typer.Option(
            help="A clip of the person of --source turning the head left and right a few times.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the pictures and reports go.")] = Path("demo"),
) -> None:
    """Register, prove liveness, consent, swap, verify; then three requests that are refused, and why.

    Without options a public-domain picture and a fictional person made from it are used. With your own pictures all
    three of --source, --target and --capture are needed: consent takes a living person, so nothing here makes a
    capture out of a photo.
    """
    from service.demo.cast import OwnPictures
    from service.demo.story import tell

    given = (source, target, capture)
    if any(given) and not all(given):
        raise typer.BadParameter(
            "--source, --target and --capture go together: without a real capture nobody has consented."
        )
    own = OwnPictures(source, target, capture) if source and target and capture else None
    raise typer.Exit(tell(out, own))
