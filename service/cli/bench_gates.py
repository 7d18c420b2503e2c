"""`assent bench gates`: how many labelled pictures the gates allow, review and refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.cli.context import open_settings

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def gates(
    faces: Annotated[Path, typer.Option(help="A folder of pictures named LABEL-NUMBER.", exists=True, file_okay=False)],
    policy: Annotated[
        Path | None, typer.Option(help="A policy file instead of the one in force.", exists=True, dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Judge every picture of a folder as a target, and count the outcomes by label with 95 % intervals."""
    from pipeline.decode import decode_picture
    from safety.bench import tally
    from safety.verdict import Verdict
    from service.platform.problems import Problem
    from service.vision import Vision

    files = sorted(file for file in faces.iterdir() if file.suffix.lower() in _SUFFIXES)
    if not files:
        raise Problem(422, "no_pictures", f"There are no pictures in {faces}.")
    given = open_settings()
    vision = Vision(given.model_copy(update={"policy": policy}) if policy else given)

    def judge(file: Path) -> Verdict:
        return vision.desk.inspect(decode_picture(file.read_bytes()).pixels).verdict

    tallies = tally(((file.stem, file) for file in files), judge)
    if as_json:
        report = {
            "policy": {"version": vision.policy.version, "digest": vision.policy.digest},
            "labels": {label: counted.to_json() for label, counted in tallies.items()},
        }
        typer.echo(json.dumps(report, indent=2))
        return
    table = Table("label", "n", "allow", "review", "refuse", "refuse, 95 %")
    for label, counted in tallies.items():
        row = counted.to_json()
        low, high = row["shares"]["refuse"]["interval95"]
        counts = (str(row[name]) for name in ("n", "allow", "review", "refuse"))
        table.add_row(label, *counts, f"{low:.0%} to {high:.0%}")
    Console(highlight=False).print(table)
