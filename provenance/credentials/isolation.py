"""Runs a C2PA engine in a child process with a time limit, bounded memory and an empty environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from provenance.credentials.engine_settings import engine_settings
from provenance.credentials.errors import CredentialError

READ_LIMIT_S = 20.0
_CHILD = Path(__file__).with_name("reader_child.py")
# No HOME: the second verifier would keep its preferences there. The switches say once more what the call
# says.
_ENVIRONMENT = {
    "ENCYPHER_C2PA_TELEMETRY": "off",
    "ENCYPHER_C2PA_ONLINE": "off",
    "ENCYPHER_C2PA_UPDATE_CHECK": "off",
    "ENCYPHER_C2PA_CONFIG_DIR": "/nonexistent",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class EngineUnavailable(CredentialError):
    """The engine hung, crashed or could not be started: nothing is known about the file."""


class FileUnreadable(CredentialError):
    """The engine answered that it cannot read the file or its credentials."""


def ask_engine(
    engine: str, data: bytes, media_type: str, trust_pem: str | None, *, limit_s: float = READ_LIMIT_S
) -> dict[str, Any]:
    """Return the report of `engine` ("c2pa" or "encypher") on a file.

    Raises `EngineUnavailable` where there is no answer and `FileUnreadable` where the answer is an error.
    """
    request = {
        "engine": engine,
        "media_type": media_type,
        "trust_pem": trust_pem,
        "settings": engine_settings(trust_pem),
        "cpu_seconds": max(1, round(limit_s)),
    }
    try:
        # -I: no user site, no PYTHON* variables, nothing from the working directory.
        finished = subprocess.run(  # noqa: S603 - our own script under our own interpreter
            [sys.executable, "-I", str(_CHILD)],
            input=json.dumps(request).encode() + b"\n" + data,
            capture_output=True,
            env=_ENVIRONMENT,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineUnavailable("verifier_timeout", f"{engine} gave no answer within {limit_s:g} s") from error
    except OSError as error:
        raise EngineUnavailable("verifier_failed", f"{engine} could not be started: {error}") from error
    if finished.returncode != 0:
        raise EngineUnavailable("verifier_failed", f"{engine} ended with status {finished.returncode}")
    return _answer(engine, finished.stdout)


def _answer(engine: str, output: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(output)
        if "error" in answer:
            raise FileUnreadable("credentials_unreadable", f"{engine}: {answer['error']}")
        report = answer["report"]
    except (ValueError, KeyError, TypeError) as error:
        raise EngineUnavailable("verifier_failed", f"{engine} gave an answer that is not understood") from error
    if not isinstance(report, dict):
        raise EngineUnavailable("verifier_failed", f"{engine} gave an answer that is not understood")
    return report
