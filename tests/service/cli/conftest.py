"""What the command line's tests share."""

from tests.pipeline.conftest import minifasnet_files

__all__ = ["minifasnet_files"]
