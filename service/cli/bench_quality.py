"""`assent bench quality`: how good the swaps are, measured on pairs of pictures. No database; nothing is released."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from service.cli.context import open_settings

if TYPE_CHECKING:
    from pipeline.bench.quality import PairReport, QualityBench
    from pipeline.faces import Pixels

MOST_CELLS = 240  # of the contact sheet; of more pairs the ones least like their source are shown


def quality(
    pairs: Annotated[Path, typer.Option(help="CSV file with the columns source,target.", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder for report.json and the contact sheet.", file_okay=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Swap each pair of a list and report identity, expression, pose, gaze, the border's quality and the time.

    Only for pictures that you may use so: no consent is checked, nothing is marked or signed, and the only picture
    that is written is the contact sheet.
    """
    from pipeline.bench import read_pairs, summarise

    try:
        wanted = read_pairs(pairs)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    out.mkdir(parents=True, exist_ok=True)
    bench = _bench()
    reports: list[PairReport] = []
    cells: list[tuple[float, Pixels]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for pair in progress.track(wanted, description="Swapping"):
            report, pixels = bench.measure(pair)
            reports.append(report)
            if pixels is not None:
                cells.append((report.figures["to_source"], _cell(bench, pair.source, pair.target, pixels, report)))
    summary = summarise(reports) | {"second_embedder": bench.second.name}
    _write(out, summary | {"per_pair": [report.to_json() for report in reports]}, cells)
    if as_json:
        typer.echo(json.dumps(summary | {"per_pair": [report.to_json() for report in reports]}, indent=2))
    else:
        _print(summary)


def _bench() -> QualityBench:
    from pipeline.bench import QualityBench
    from pipeline.engine import FaceEngine
    from pipeline.enhance import DetailEnhancer
    from pipeline.mesh import MeshSwapper
    from pipeline.models import ModelStore
    from pipeline.runtime import OnnxRuntime

    settings = open_settings()
    store = ModelStore(settings.model_folder)
    runtime = OnnxRuntime(
        settings.provider, allow_cpu_fallback=settings.allow_cpu_fallback, threads=settings.model_threads
    )
    return QualityBench(FaceEngine.standard(runtime, store), runtime, store, MeshSwapper(), DetailEnhancer())


def _cell(bench: QualityBench, source: Path, target: Path, pixels: Pixels, report: PairReport) -> Pixels:
    from pipeline.bench.sheet import around_face, cell

    theirs, ours = bench.album.open(source), bench.album.open(target)
    faces = ((theirs.pixels, theirs.face), (ours.pixels, ours.face), (pixels, ours.face))
    source_view, target_view, result_view = (around_face(picture, face) for picture, face in faces)
    return cell(source_view, target_view, result_view, report)


def _write(out: Path, report: dict[str, Any], cells: list[tuple[float, Pixels]]) -> None:
    from pipeline.bench.sheet import contact_sheet
    from pipeline.encode import encode_picture

    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    if cells:
        worst_first = [pixels for _, pixels in sorted(cells, key=lambda cell: -cell[0])[:MOST_CELLS]]
        sheet = encode_picture(contact_sheet(worst_first), media_type="image/png")
        (out / "contact-sheet.png").write_bytes(sheet)


def _print(summary: dict[str, Any]) -> None:
    table = Table("figure", "value")
    for name, value in summary.items():
        table.add_row(name, json.dumps(value) if isinstance(value, dict) else str(value))
    Console().print(table)
