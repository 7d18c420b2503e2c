"""`assent inspect`: everything that the gates see in one picture, and what the policy makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from service.cli.context import open_settings

if TYPE_CHECKING:
    from safety.desk import Inspection

Kind = Literal["source", "target", "output"]


def inspect(
    file: Annotated[Path, typer.Argument(help="The picture.", exists=True, dir_okay=False)],
    policy: Annotated[
        Path | None, typer.Option(help="A policy file instead of the one in force.", exists=True, dir_okay=False)
    ] = None,
    kind: Annotated[Kind, typer.Option("--as", help="What the picture is judged as.")] = "target",
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole evidence as JSON.")] = False,
) -> None:
    """Show what every gate finds in a picture and the verdict on it. Nothing is stored.

    Exit status 0 for allow, 1 for review or refuse.
    """
    from pipeline.decode import decode_picture
    from service.platform.settings import Settings
    from service.vision import Vision

    given = open_settings()
    settings = given.model_copy(update={"policy": policy}) if policy else given
    assert isinstance(settings, Settings)  # noqa: S101 - model_copy keeps the class
    vision = Vision(settings)
    picture = decode_picture(file.read_bytes())
    inspection = vision.desk.inspect(picture.pixels, "source:0" if kind == "source" else kind)
    if as_json:
        typer.echo(json.dumps(_report(file, inspection, vision.digests()), indent=2))
    else:
        _print(inspection)
    raise typer.Exit(0 if inspection.verdict.outcome == "allow" else 1)


def _report(file: Path, inspection: Inspection, models: dict[str, str]) -> dict[str, Any]:
    """The evidence as JSON: faces, findings, verdict, models."""
    (evidence,) = inspection.evidence.values()
    height, width = evidence.pixels.shape[:2]
    faces = None
    if evidence.faces is not None:
        faces = [
            {
                "box": [round(float(edge), 1) for edge in face.box],
                "width": round(face.width, 1),
                "presence": round(face.presence, 4),
                "score": round(face.score, 4),
                "pose": {"yaw": face.pose.yaw, "pitch": face.pose.pitch, "roll": face.pose.roll},
            }
            for face in evidence.faces
        ]
    return {
        "file": str(file),
        "picture": {"width": width, "height": height},
        "faces": faces,
        **inspection.record.to_json(),
        "verdict": inspection.verdict.to_json(),
        "models": models,
    }


def _print(inspection: Inspection) -> None:
    console = Console(highlight=False)
    table = Table("finding", "score", "note")
    for finding in inspection.findings:
        score = "unavailable" if finding.score is None else f"{finding.score:.3f}"
        table.add_row(finding.name, score, finding.note)
    console.print(table)
    verdict = inspection.verdict
    console.print(f"{verdict.outcome} ({verdict.policy_version})")
    for reason in verdict.reasons:
        console.print(f"  {reason.outcome}: {reason.code}: {reason.message}", markup=False)
