"""What commands share: the settings, and the assembled server over a migrated database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from service.platform.settings import Settings


class SettingsError(Exception):
    """The settings in the environment or the file are wrong."""


def open_settings(**given: Any) -> Settings:
    """The settings in force; raises `SettingsError` with one line for each wrong one."""
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = (f"ASSENT_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise SettingsError("wrong settings\n  " + "\n  ".join(lines)) from None


@contextmanager
def open_server(**given: Any) -> Iterator[Any]:
    """The assembled server for a command that works on the database beside (or without) a running server."""
    from service.assembly import Assent
    from service.platform.logs import configure_logs
    from service.platform.migrate import upgrade

    settings = open_settings(**given)
    configure_logs("warning", "console")
    server = Assent(settings)
    try:
        upgrade(server.database)
        yield server
    finally:
        server.close()
