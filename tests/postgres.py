"""A throw-away PostgreSQL server: a cluster in a temporary folder, reached by a socket only."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path


def find_postgres() -> Path | None:
    """The folder with initdb and pg_ctl, newest version first."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: -int(p.parent.name))
    on_path = shutil.which("initdb")
    candidates += [Path(on_path).parent] if on_path else []
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


class PostgresServer:
    """Starts and stops one cluster. PostgreSQL refuses to run as root, so root hands it to another account."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        # A socket's path may have 107 characters, which pytest's folders exceed.
        self._folder = Path(tempfile.mkdtemp(prefix="assent-pg-"))
        self._user = _unprivileged_account() if os.geteuid() == 0 else None
        self._numbers = itertools.count()
        if self._user:
            shutil.chown(self._folder, self._user)

    def start(self) -> None:
        self._run("initdb", "-D", self._folder / "data", "-U", "assent", "-A", "trust", "--no-sync", "-E", "UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories='{self._folder}' -c fsync=off"
        log = self._folder / "log"
        self._run("pg_ctl", "-D", self._folder / "data", "-l", log, "-w", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self) -> str:
        name = f"assent_{next(self._numbers)}"
        self._run("createdb", "-h", self._folder, "-U", "assent", name)
        return f"postgresql+psycopg://assent@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._binaries / program), *map(str, arguments)]
        if self._user:
            command = ["runuser", "-u", self._user, "--", *command]
        # A file instead of a pipe: the server that pg_ctl leaves behind would keep a pipe open for ever.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, cwd="/", timeout=120, check=False)
            output.seek(0)
            assert done.returncode == 0, output.read().decode()


def _unprivileged_account() -> str:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise RuntimeError("there is no unprivileged account to run PostgreSQL as")
