"""Rendering and releasing have one door each: the source is read to prove that nobody else calls them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TREES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text())
    for name in ("service", "safety", "pipeline", "provenance", "migrations")
    for path in (ROOT / name).rglob("*.py")
}
# The benchmark swaps pairs of pictures that its user names, keeps no job, and releases nothing.
BENCH = "pipeline/bench/quality.py"


def files_with(matches) -> set[str]:
    return {file for file, tree in TREES.items() if any(matches(node) for node in ast.walk(tree))}


def imports(module: str):
    """A test for nodes that import a module, or anything from it, under whatever name."""
    package, _, last = module.rpartition(".")

    def matches(node) -> bool:
        if isinstance(node, ast.Import):
            return any(alias.name == module or alias.name.startswith(module + ".") for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            named = [alias.name for alias in node.names]
            within = (node.module or "").startswith(module + ".")
            return node.module == module or within or (node.module == package and last in named)
        return False

    return matches


def uses(*names: str):
    """A test for nodes that use one of these names as a variable or an attribute."""
    return lambda node: (
        (isinstance(node, ast.Name) and node.id in names) or (isinstance(node, ast.Attribute) and node.attr in names)
    )


def test_the_renderer_is_imported_by_one_part_of_the_service():
    # Sealing carries the permit along as evidence of what was allowed; it renders nothing.
    users = files_with(imports("pipeline.render")) - {BENCH}
    assert users == {"service/jobs/rendering.py", "service/jobs/sealing.py"}
    makers = files_with(lambda node: isinstance(node, ast.Call) and uses("RenderPermit")(node.func)) - {BENCH}
    assert makers == {"service/jobs/rendering.py"}


def test_the_benchmark_cannot_reach_jobs_or_results():
    tree = TREES[BENCH]
    assert not any(imports("service")(node) or imports("provenance")(node) for node in ast.walk(tree))


@pytest.mark.parametrize("method", ["enrol", "swap", "swap_many", "speak"])
def test_a_swapper_is_used_by_the_renderer_alone(method):
    inside = ("pipeline/mesh/", "pipeline/swappers/", "pipeline/lipsync/")
    outside = {file for file in files_with(uses(method)) if not file.startswith(inside)}
    assert outside <= {"pipeline/render.py"}


def test_a_seal_is_made_in_one_place_and_released_from_one_place():
    assert files_with(uses("sealer")) == {"service/jobs/sealing.py", "service/assembly.py"}
    assert files_with(uses("Sealer")) == {"service/assembly.py"}
    assert files_with(imports("service.jobs.release")) == {"service/jobs/worker.py"}


def test_a_mark_becomes_live_in_the_release_alone():
    def goes_live(node) -> bool:
        return (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]).endswith(".status")
            and ast.unparse(node.value) == "'live'"
        )

    assert files_with(goes_live) == {"service/jobs/release.py"}


def test_jobs_and_marks_are_written_by_the_ledger_the_seal_and_the_release_alone():
    def writes(node) -> bool:
        called = isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("update", "insert", "delete"))
        return called and bool(node.args) and ast.unparse(node.args[0]) in ("Job", "Mark")

    def finishes(node) -> bool:
        moved = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("move")
        return moved and any(ast.unparse(argument) == "State.DONE" for argument in node.args[3:])

    assert files_with(writes) == {"service/jobs/ledger.py"}
    assert files_with(finishes) == {"service/jobs/release.py"}


def test_stored_bytes_are_read_in_three_places():
    def reads(node) -> bool:
        return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("blobs.get")

    assert files_with(reads) == {
        "service/assets/library.py",
        "service/jobs/endpoints.py",
        "service/jobs/release.py",
    }
