from pathlib import Path

import pytest

from pipeline.bench import read_pairs


def listing(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text)
    return path


def test_paths_count_from_the_lists_folder_and_other_columns_are_ignored(tmp_path: Path) -> None:
    (pair,) = read_pairs(listing(tmp_path, "note,source,target\nx,a.png,/b.png\n"))
    assert (pair.source, pair.target) == (tmp_path / "a.png", Path("/b.png"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source,goal\na,b\n", "no column target"),
        ("source,target\n", "no pairs"),
        ("source,target\na,b\na,\n", "line 3"),
        ("source,target\na\n", "line 2"),
        ("", "no column source"),
    ],
)
def test_a_list_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_pairs(listing(tmp_path, text))
