"""`assent policy`: checking, comparing, trying out, activating and rolling back policies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from service.cli.context import open_server

if TYPE_CHECKING:
    from safety.policy import Policy

app = typer.Typer(help="The policies that decide what is allowed.", no_args_is_help=True)
_console = Console(highlight=False, soft_wrap=True)

Which = Annotated[str, typer.Argument(help="A file, a shipped policy's name, or a stored version such as standard/2.")]


@app.command()
def check(file: Annotated[Path, typer.Argument(help="A policy file.", exists=True, dir_okay=False)]) -> None:
    """Check a policy file: its form, and that it fails closed and is monotone."""
    policy = _given(str(file))
    _console.print(f"valid: {policy.version}, {len(policy.document.rules)} rules, sha256 {policy.digest}")


@app.command()
def diff(a: Which, b: Which) -> None:
    """Show how policy B differs from policy A. Exit status 1 where they differ."""
    from service.policies.replay import differences

    lines = differences(_named(a), _named(b))
    _console.print("\n".join(lines) or "the policies judge alike", markup=False)
    raise typer.Exit(1 if lines else 0)


@app.command()
def replay(
    policy: Annotated[str, typer.Option(help="A file, a shipped policy's name, or a stored version.")],
    last: Annotated[int, typer.Option(help="How many of the newest judgements.", min=1)] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Judge stored evidence again under another policy and show which verdicts would change. Nothing is stored."""
    from service.policies.replay import replay as judge_again

    chosen = _named(policy)
    with open_server() as server, server.database.read() as session:
        result = judge_again(session, chosen, last)
    if as_json:
        typer.echo(json.dumps({"policy": chosen.version, **result.to_json()}, indent=2))
        return
    _console.print(f"{chosen.version}: {result.judged} judged, {len(result.changed)} would change")
    for change, count in sorted(result.changes.items()):
        _console.print(f"  {count} from {change}")
    for item in result.changed:
        _console.print(f"  {item['job']} {item['stage']}: {item['before']} to {item['after']} {item['reasons']}")


@app.command("list")
def list_versions() -> None:
    """List the stored versions and their states; shadow versions with what they would have changed."""
    from service.policies.shadow import shadow_report, version_of
    from service.policies.store import versions

    with open_server() as server, server.database.read() as session:
        rows, shadows = versions(session), {item["version"]: item for item in shadow_report(session)}
    for row in rows:
        name = version_of(row)
        _console.print(f"{name:24} {row.state:8} {row.digest[:16]} {_differences(shadows.get(name))}", markup=False)


@app.command()
def add(policy: Which) -> None:
    """Store a version as a draft."""
    _change(policy, "draft")


@app.command()
def shadow(policy: Which) -> None:
    """Let a version judge beside the live one; its differences are counted and have no effect."""
    _change(policy, "shadow")


@app.command()
def activate(policy: Which) -> None:
    """Put a version in force. Running servers take it up with their next judgement."""
    _change(policy, "live")


@app.command()
def retire(policy: Which) -> None:
    """Take a shadow version or a draft out of use."""
    _change(policy, "retired")


@app.command()
def rollback() -> None:
    """Put the version in force again that the live one replaced."""
    from service.policies.shadow import version_of
    from service.policies.store import roll_back

    with open_server() as server:
        _refuse_beside_a_file(server)
        with server.database.write() as session:
            _console.print(f"live: {version_of(roll_back(session, actor='operator'))}")


def _change(which: str, state: str) -> None:
    from service.platform.problems import Problem
    from service.policies import store
    from service.policies.shadow import version_of

    with open_server() as server:
        if state == "live":
            _refuse_beside_a_file(server)
        with server.database.write() as session:
            if _is_stored_version(which):
                row = store.find_version(session, which)
            else:
                row = store.add_version(session, _given(which), actor="operator")
            if state == "shadow":
                store.to_shadow(session, row, actor="operator")
            elif state == "live":
                store.activate(session, row, actor="operator")
            elif state == "retired":
                if row.state == store.LIVE:
                    hint = "Activate another version, which retires this one."
                    raise Problem(409, "policy_live", "This version is live.", hint=hint)
                store.retire(session, row, actor="operator")
            _console.print(f"{row.state}: {version_of(row)} sha256 {row.digest}")


def _refuse_beside_a_file(server: Any) -> None:
    from service.platform.problems import Problem

    if server.settings.policy is not None:
        detail = "ASSENT_POLICY names a policy file, which is in force whatever the database says."
        raise Problem(409, "policy_from_file", detail, hint="Unset it to decide with `assent policy activate`.")


def _named(which: str) -> Policy:
    """The policy of a file, a shipped one, or a stored version."""
    from service.policies.store import find_version, policy_of

    if _is_stored_version(which):
        with open_server() as server, server.database.read() as session:
            return policy_of(find_version(session, which))
    return _given(which)


def _is_stored_version(which: str) -> bool:
    return not Path(which).is_file() and which.rpartition("/")[2].isdecimal()


def _given(which: str) -> Policy:
    """The policy of a file or a shipped one; its mistakes are one clear error."""
    from safety.policy import Policy, PolicyError
    from service.platform.problems import Problem

    try:
        return Policy.load(Path(which)) if Path(which).is_file() else Policy.shipped(which)
    except (PolicyError, UnicodeDecodeError) as error:
        raise Problem(422, "policy_invalid", str(error)) from error


def _differences(report: dict[str, Any] | None) -> str:
    if report is None:
        return ""
    changes = ", ".join(f"{count} {name}" for name, count in report["changes"].items())
    return f"{report['different']} of {report['judged']} different" + (f": {changes}" if changes else "")
