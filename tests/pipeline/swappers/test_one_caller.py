"""Swapping several faces at once and moving a mouth are rendering, too: nobody but the renderer may do it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("method", ["swap_many", "speak"])
def test_other_ways_to_render_are_open_to_the_renderer_alone(method: str) -> None:
    sources = [path for name in ("service", "safety", "pipeline", "provenance") for path in (ROOT / name).rglob("*.py")]
    users = {
        str(path.relative_to(ROOT))
        for path in sources
        if method in path.read_text()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == method
    }
    assert users <= {"pipeline/render.py", "pipeline/swappers/neural.py"}
