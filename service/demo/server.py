"""A real server for the demonstration: its own process, its own fresh home folder, a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from service.platform.settings import Settings


class ServerDied(Exception):
    """The server's process ended before it answered; its log is in the message."""


@dataclass(frozen=True)
class RunningServer:
    """A server that answers at `url`."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def running_server(home: Path, module: str = "service.cli", **settings: str) -> Iterator[RunningServer]:
    """Start `assent serve` over `home`; yields it once it is healthy, and stops it at the end."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    log = home / "server.log"
    home.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own program, with fixed arguments
            [sys.executable, "-m", module, "serve", "--port", str(port)],
            env=environment(home, **settings),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_healthy(process, url, log)
        yield RunningServer(url, process)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment(home: Path, **settings: str) -> dict[str, str]:
    """The environment of a child process: ours with `ASSENT_*` settings replaced."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSENT_")}
    given = {
        "ASSENT_HOME": str(home.absolute()),
        "ASSENT_MODELS": str(model_folder().absolute()),
        "ASSENT_CONFIG": os.devnull,
    }
    return kept | given | {f"ASSENT_{name.upper()}": value for name, value in settings.items()}


def model_folder() -> Path:
    """Where the converted models are: shared with the ordinary server, since they take time to make."""
    return Settings().model_folder


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(url + "/health/ready", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise ServerDied("the server did not start:\n" + log.read_text(errors="replace")[-3000:])
