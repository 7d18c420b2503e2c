"""Housekeeping: what has to be done now and then while the server runs."""

from __future__ import annotations

import threading

import structlog

from service.assembly import Assent
from service.liveness.sweep import sweep

_log = structlog.get_logger(__name__)
_EVERY_S = 60.0


class Housekeeper:
    """A thread that ends liveness sessions which ran out and deletes what was observed in them."""

    def __init__(self, server: Assent) -> None:
        self._server = server
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin; the first round is at once."""
        self._thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """End after the present round."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            try:
                sweep(self._server)
            except Exception:
                # The database may be away for a moment; housekeeping must outlive that.
                _log.exception("housekeeping_failed")
            if self._stopping.wait(_EVERY_S):
                return
