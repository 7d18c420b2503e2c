"""`assent bench`: figures that anyone can measure again on their own pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from provenance.bench import WatermarkFigures

app = typer.Typer(help="Measure what the server does on your own pictures.", no_args_is_help=True)

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
# The bench has its own key: it must not depend on a server's, and must not mark anything as a server's.
_KEY = b"the watermark bench marks nothing that leaves it"


@app.callback()
def bench() -> None:
    """Measure what the server does on your own pictures."""


@app.command()
def watermark(
    images: Annotated[Path, typer.Option(help="A folder of pictures.", exists=True, file_okay=False)],
    limit: Annotated[int, typer.Option(help="Take at most this many pictures, spread over the folder.", min=1)] = 1000,
    crops: Annotated[int, typer.Option(help="Unmarked crops of each picture to read.", min=0)] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Mark every picture of a folder, damage it in some fifty ways, and count how often the mark is read."""
    from pipeline.decode import decode_picture
    from provenance.bench import WatermarkBench
    from provenance.watermark import Watermarker
    from service.platform.problems import Problem

    files = sorted(file for file in images.rglob("*") if file.suffix.lower() in _SUFFIXES)
    if not files:
        raise Problem(422, "no_pictures", f"There are no pictures in {images}.")
    files = files[:: -(-len(files) // limit)]
    measured = WatermarkBench(Watermarker(_KEY), unmarked_crops=crops)
    for number, file in enumerate(files):
        pixels = decode_picture(file.read_bytes()).pixels
        measured.add(str(file.relative_to(images)), pixels)
        if number == 0:
            measured.time(pixels)
    figures = measured.finish()
    if as_json:
        typer.echo(json.dumps(figures.to_json(), indent=2))
    else:
        _print(figures)


def _print(figures: WatermarkFigures) -> None:
    table = Table("attack", "exact", "of")
    for name, score in figures.attacks.items():
        table.add_row(name, str(score.exact), str(score.n))
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"PSNR median {figures.psnr_median} dB, least {figures.psnr_min} dB; SSIM median {figures.ssim_median}",
        f"1920 x 1080, one thread: embed {figures.embed_ms} ms, read {figures.read_ms} ms, "
        f"search {figures.read_search_ms} ms",
        f"False accepts: {figures.false_accepts} of {figures.unmarked} unmarked crops",
        sep="\n",
    )
