"""Rendering and releasing have one door each: the source is read to prove that nobody else calls them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [path for name in ("service", "safety", "pipeline", "provenance") for path in (ROOT / name).rglob("*.py")]


def users_of(name: str) -> set[tuple[str, str]]:
    """Where a name is used other than in its definition or an import: (file, enclosing function)."""
    found = set()
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    used = (isinstance(node, ast.Name) and node.id == name) or (
                        isinstance(node, ast.Attribute) and node.attr == name
                    )
                    if used:
                        found.add((str(path.relative_to(ROOT)), function.name))
    return found


def importers_of(module: str, name: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == module and name in [alias.name for alias in node.names]
    }


def test_the_renderer_is_called_from_one_place():
    assert importers_of("pipeline.render", "render") == {"service/jobs/rendering.py"}
    assert {use for use in users_of("render") if use[0].startswith("service/jobs")} == {
        ("service/jobs/rendering.py", "_render")
    }


@pytest.mark.parametrize("method", ["enrol", "swap"])
def test_a_swapper_is_used_by_the_renderer_alone(method):
    outside = {file for file, _ in users_of(method) if not file.startswith("pipeline/mesh/")}
    assert outside == {"pipeline/render.py"}


def test_a_permit_is_made_in_one_place_only():
    assert {use for use in users_of("RenderPermit") if use[0] != "pipeline/render.py"} == {
        ("service/jobs/rendering.py", "_permit")
    }


def test_a_seal_is_made_in_one_place_and_a_release_in_one_place():
    assert users_of("sealer") & {("service/jobs/sealing.py", "seal_output")}
    assert {file for file, _ in users_of("sealer")} <= {"service/jobs/sealing.py", "service/assembly.py"}
    assert importers_of("service.jobs.release", "release") == {"service/jobs/worker.py"}


def test_a_job_becomes_done_and_a_mark_live_in_the_release_alone():
    done, live = set(), set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "move" and len(node.args) > 3:
                done |= {str(path.relative_to(ROOT))} if ast.unparse(node.args[3]) == "State.DONE" else set()
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).endswith(".status"):
                live |= {str(path.relative_to(ROOT))} if ast.unparse(node.value) == "'live'" else set()
    assert done == live == {"service/jobs/release.py"}


def test_results_are_read_from_the_vault_by_the_download_and_the_release_alone():
    readers = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if 'KeyOwner("job"' in path.read_text() and "blobs.get" in path.read_text()
    }
    assert readers == {"service/jobs/endpoints.py", "service/jobs/release.py"}
