"""Swapping several faces at once is swapping, too: outside the swappers nobody but the renderer may do it."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_swap_many_is_called_by_no_other_than_the_renderer() -> None:
    sources = [path for name in ("service", "safety", "pipeline", "provenance") for path in (ROOT / name).rglob("*.py")]
    users = {
        str(path.relative_to(ROOT))
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "swap_many"
    }
    assert users <= {"pipeline/render.py", "pipeline/swappers/neural.py"}
