"""`assent serve` that stops for ever at one point of a job, so that a test can kill it there.

The point is named by the environment: PAUSE_AT is one of `POINTS`, PAUSE_MARK the file that is written on arrival.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# point: (module, function that is wrapped there, whether to stop before or after it)
POINTS = {
    "before_screening": ("service.jobs.worker", "screen", "before"),
    "after_screening": ("service.jobs.worker", "screen", "after"),
    "after_rendering": ("service.jobs.rendering", "render", "after"),
    "before_sealing": ("service.jobs.rendering", "seal_output", "before"),
    "after_signing": ("service.jobs.sealing", "store_sealed", "before"),
    "after_sealing": ("service.jobs.rendering", "seal_output", "after"),
    "before_release": ("service.jobs.worker", "release", "before"),
    "after_logging": ("service.jobs.release", "sequence_now", "after"),
    "after_release": ("service.jobs.worker", "release", "after"),
}


def pause_at(point: str, mark: Path) -> None:
    name, function, when = POINTS[point]
    module = importlib.import_module(name)
    original: Callable[..., Any] = getattr(module, function)

    def stopping(*arguments: Any, **more: Any) -> Any:
        result = original(*arguments, **more) if when == "after" else None
        mark.touch()
        time.sleep(3600)
        return result

    setattr(module, function, stopping)


if __name__ == "__main__":
    from service.cli import main

    pause_at(os.environ["PAUSE_AT"], Path(os.environ["PAUSE_MARK"]))
    main()
