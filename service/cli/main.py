"""The command line: `assent --help` teaches it."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from pipeline.errors import PipelineError
from service.cli import accounts, audit, bench, bench_gates, bench_quality, demo, inspect, lists, models, policy, verify
from service.cli.context import SettingsError, open_settings
from service.platform.logs import configure_logs
from service.platform.problems import Problem

app = typer.Typer(
    help="Assent: face swaps with consent checked before, and watermark, signature and audit log after.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models.app, name="models")
app.add_typer(accounts.tenants, name="tenants")
app.add_typer(accounts.keys, name="keys")
app.add_typer(accounts.reviewers, name="reviewers")
app.add_typer(audit.app, name="audit")
app.add_typer(policy.app, name="policy")
app.add_typer(lists.app, name="lists")
app.add_typer(bench.app, name="bench")
bench.app.command("quality")(bench_quality.quality)
bench.app.command("gates")(bench_gates.gates)
app.command("inspect")(inspect.inspect)
app.command("verify")(verify.verify)
app.command("demo")(demo.demo)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; ASSENT_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; ASSENT_PORT.")] = None,
) -> None:
    """Start the server: migrate the database, make development keys at the first start, listen.

    Make a first account with: assent tenants add NAME, assent keys add --tenant ID
    """
    import uvicorn

    from service.app import create_app
    from service.platform.database import Database
    from service.platform.migrate import upgrade

    given = {"host": host, "port": port}
    settings = open_settings(**{name: value for name, value in given.items() if value is not None})
    configure_logs(settings.log_level, settings.log_format)
    database = Database(settings.database)
    upgrade(database)
    database.close()
    app = create_app(settings)
    app.state.assent.vision.warm_up()
    uvicorn.run(app, host=settings.host, port=settings.port, log_config=None, access_log=False, server_header=False)


def main() -> None:
    """Run the command; expected errors are one clear line on standard error and exit status 1."""
    os.umask(0o077)  # what the commands write is the server's: keys, database, exports of people's data
    try:
        app()
    except (Problem, PipelineError, SettingsError) as error:
        hint = getattr(error, "hint", "")
        Console(stderr=True, highlight=False).print(f"[red]assent:[/] {error}" + (f"\n  {hint}" if hint else ""))
        sys.exit(1)
