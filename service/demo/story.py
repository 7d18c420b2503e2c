"""The story that the demonstration tells: one swap that may happen, and three that may not."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console

from service.demo.accounts import Accounts, make_accounts
from service.demo.cast import Cast, Frames, OwnPictures, default_cast, own_cast
from service.demo.client import ApiError, Client
from service.demo.server import environment, model_folder, running_server
from service.demo.sheet import side_by_side

_PURPOSE = "film_post_production"
_STATEMENT = "I agree that my face may be put onto another person's in pictures made for film post-production."
_MARKER = ".assent-demo"
_FAILURES, _DRAWS = 3, 100

# Exit statuses of `assent demo`: told in its help as "not 0 when the story did not end as told".
_OK, _NOT_AS_TOLD = 0, 1


class NotAsTold(Exception):
    """Something went another way than the story says."""


@dataclass(frozen=True)
class _Stage:
    """What the scenes share."""

    console: Console
    client: Client
    cast: Cast
    out: Path
    accounts: Accounts
    url: str

    def say(self, text: str) -> None:
        self.console.print("  " + text)

    def scene(self, title: str) -> None:
        self.console.print(f"\n[bold]{title}[/]")


def tell(out: Path, own: OwnPictures | None) -> int:
    """Run the demonstration into the folder `out`; returns the exit status."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        _clear(out)
        _prepare_models(console)
        cast = own_cast(own) if own else default_cast()
        for note in cast.notes:
            console.print(f"[dim]{note}[/]")
        home = out / "server"
        accounts = make_accounts(home)
        # A recorded clip is not a live camera: the server has to be told that it may take one and that the order may
        # be drawn again until the clip has it. Neither is the default, and the log says what was accepted.
        with (
            running_server(home, file_captures="accept", liveness_tries="200", checkpoint_seconds="1") as server,
            Client(server.url, accounts.api_key) as client,
        ):
            _play(_Stage(console, client, cast, out, accounts, server.url))
        _export_audit(console, out, home)
    except (NotAsTold, ApiError) as error:
        console.print(f"\n[red]The demonstration stopped:[/] {error}")
        return _NOT_AS_TOLD
    console.print(f"\nEverything is in [bold]{out}/[/]; look at [bold]{out / 'side_by_side.jpg'}[/] first.")
    return _OK


def _clear(out: Path) -> None:
    """Begin with an empty folder, but never delete one that the demonstration did not make."""
    if out.exists() and any(out.iterdir()) and not (out / _MARKER).exists():
        raise NotAsTold(f"the folder {out} is not empty and not from a demonstration; name another with --out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / _MARKER).touch()


def _prepare_models(console: Console) -> None:
    from pipeline.models import ModelStore

    with console.status("Preparing the models (once) …"):
        ModelStore(model_folder()).prepare()


def _play(stage: _Stage) -> None:
    subject, grant = _consent(stage)
    source, target = _upload(stage)
    job = _swap(stage, source, target, grant["id"])
    _check_output(stage, job)
    _refusals(stage, source, target, grant["id"], job)
    stage.say(f"[dim]subject {subject}, grant {grant['id']}, job {job}[/]")


def _consent(stage: _Stage) -> tuple[str, dict[str, Any]]:
    stage.scene("1  A person agrees")
    subject = stage.client.register(stage.cast.name)
    stage.say(f"{stage.cast.name} is registered.")
    liveness = _prove_liveness(stage, subject)
    expires = (datetime.now(UTC) + timedelta(days=365)).isoformat()
    grant = stage.client.grant(liveness, [_PURPOSE], expires, _STATEMENT, stage.cast.name)
    stage.say(f"Consent for {_PURPOSE!r} is recorded until {expires[:10]}; receipt {grant['receipt_sha256'][:16]}…")
    return subject, grant


def _prove_liveness(stage: _Stage, subject: str) -> str:
    hint = ""
    failures = 0
    sent: set[bytes] = set()
    for draw in range(_DRAWS):
        session = stage.client.open_liveness(subject, "file")
        # No frame passes twice, not even one that did not pass the first time.
        answers = [frames for frames in stage.cast.answer(session["moves"]) if sent.isdisjoint(_digests(frames))]
        if not answers:
            continue  # A recorded clip cannot know the order beforehand, so it waits for one that it has.
        sent |= _digests(answers[0])
        again = f" (after {draw} orders that the clip does not have)" if draw else ""
        stage.say(f"The server asks for these head turns: {', '.join(session['moves'])}{again}.")
        with stage.console.status(f"Sending {len(answers[0])} frames …"):
            verdict = stage.client.send_capture(session, answers[0])
        if verdict["outcome"] == "live":
            stage.say(f"{len(answers[0])} frames show one living person who turned as asked: [green]passed[/].")
            return str(session["id"])
        hint = f"{', '.join(verdict['reasons'])}. {verdict['hint'] or ''}"
        stage.say(f"Not passed: {hint}")
        failures += 1
        if failures == _FAILURES:
            break
    raise NotAsTold(
        "liveness was not passed. A capture shows the person of --source alone, facing the camera, then turning the "
        f"head well to one side and back, left and right in many orders. {hint}"
    )


def _digests(frames: Frames) -> set[bytes]:
    return {hashlib.sha256(pixels.tobytes()).digest() for _, pixels in frames}


def _upload(stage: _Stage) -> tuple[str, str]:
    (stage.out / "source.jpg").write_bytes(stage.cast.source)
    (stage.out / "target.jpg").write_bytes(stage.cast.target)
    return stage.client.upload(stage.cast.source), stage.client.upload(stage.cast.target)


def _swap(stage: _Stage, source: str, target: str, grant: str) -> str:
    stage.scene("2  A swap that may happen")
    job = stage.client.submit(source, target, grant, _PURPOSE, "The demonstration")
    with stage.console.status("Screening, rendering, sealing …"):
        answer = stage.client.wait(job, through_review=False)
    if answer["state"] == "in_review":
        stage.say(f"The gates want a person to look: {_reasons(answer)}.")
        stage.say(f"Log in at {stage.url}/admin as {stage.accounts.email}, password {stage.accounts.password}")
        stage.say("and decide within 15 minutes …")
        answer = stage.client.wait(job, through_review=True, seconds=900)
    if answer["state"] != "done":
        raise NotAsTold(f"the swap ended as {answer['state']}: {_reasons(answer) or answer['problem']}")
    stage.say(
        "Checked (NSFW, age, faces, consent), rendered, checked again, watermarked, signed, logged: [green]done[/]."
    )
    result = stage.client.call("GET", f"/v1/jobs/{job}/result").content
    (stage.out / "result.jpg").write_bytes(result)
    pictures = (_decode(data) for data in (stage.cast.source, stage.cast.target, result))
    cv2.imwrite(str(stage.out / "side_by_side.jpg"), side_by_side(*pictures), [cv2.IMWRITE_JPEG_QUALITY, 92])
    return job


def _decode(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def _check_output(stage: _Stage, job: str) -> None:
    stage.scene("3  Anybody can check it")
    result = (stage.out / "result.jpg").read_bytes()
    report = stage.client.call("POST", "/v1/verify", content=result).json()
    (stage.out / "verification.json").write_text(json.dumps(report, indent=2) + "\n")
    stage.say(f"As it is: [green]{report['verdict']}[/]; watermark {report['watermark_id']}.")
    altered = bytearray(result)
    altered[len(altered) * 2 // 3] ^= 0x01
    stage.say(f"One bit changed: {_verdict(stage, bytes(altered))}.")
    stripped = _reencoded(result)
    stage.say(f"Re-encoded at JPEG 60, credentials lost: {_verdict(stage, stripped)}, found by its watermark.")
    receipt = stage.client.receipt(job)
    (stage.out / "receipt.tlog-proof").write_text(receipt)
    stage.say("The audit receipt proves the log entry offline (receipt.tlog-proof).")


def _verdict(stage: _Stage, data: bytes) -> str:
    return str(stage.client.call("POST", "/v1/verify", content=data).json()["verdict"])


def _reencoded(data: bytes) -> bytes:
    done, again = cv2.imencode(".jpg", _decode(data), [cv2.IMWRITE_JPEG_QUALITY, 60])
    if not done:
        raise NotAsTold("OpenCV could not encode the picture again")
    return bytes(again)


def _refusals(stage: _Stage, source: str, target: str, grant: str, released: str) -> None:
    stage.scene("4  Three that may not")
    _refused(stage, "Without a grant", source, target, None)
    stranger = stage.client.upload(stage.cast.stranger)
    _refused(stage, "Somebody else's face under this grant", stranger, target, grant)
    stage.client.call("POST", f"/v1/grants/{grant}/withdraw")
    stage.say(f"{stage.cast.name} withdraws the consent.")
    _refused(stage, "After the withdrawal", source, target, grant)
    try:
        stage.client.call("GET", f"/v1/jobs/{released}/result")
    except ApiError as error:
        stage.say(f"The output released before is taken down: HTTP {error.status} {error.code}.")
    else:
        raise NotAsTold("the output of a withdrawn grant can still be fetched")


def _refused(stage: _Stage, what: str, source: str, target: str, grant: str | None) -> None:
    job = stage.client.submit(source, target, grant, _PURPOSE, "The demonstration")
    answer = stage.client.wait(job, through_review=False)
    if answer["state"] != "refused":
        raise NotAsTold(f"{what.lower()}: the job ended as {answer['state']}, not refused")
    stage.say(f"{what}: [red]refused[/], {_reasons(answer)}")


def _reasons(answer: dict[str, Any]) -> str:
    return ", ".join(dict.fromkeys(reason["code"] for reason in answer["reasons"]))


def _export_audit(console: Console, out: Path, home: Path) -> None:
    console.print("\n[bold]5  The audit log leaves the house[/]")
    bundle = out / "audit-bundle"
    command = [sys.executable, "-m", "service.cli", "audit", "export", "--out", str(bundle)]
    subprocess.run(command, env=environment(home), check=True, capture_output=True)  # noqa: S603 - our own program
    check = [sys.executable, "-I", str(bundle / "verify.py"), str(bundle)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    if done.returncode != 0:
        raise NotAsTold(f"the exported audit log does not verify: {done.stdout}{done.stderr}")
    console.print("  " + done.stdout.strip().splitlines()[-1])
