"""Known pictures are recognised, lists can be exchanged, and what was taken down cannot come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from sqlalchemy import update

from safety.lists.pictures import hashes_to_look_up
from service.hashlists.directory import KnownPictures
from service.hashlists.exchange import export_csv, export_json, parse
from service.hashlists.register import (
    add_entries,
    add_picture,
    create_list,
    find_list,
    list_taken_down,
    remove_entry,
)
from service.hashlists.tables import PictureEntry
from service.platform.database import Database
from service.platform.problems import Problem
from tests.safety.samples import GREY
from tests.service.rows import prepared_database

COFFEE = np.ascontiguousarray(skimage.data.coffee()[..., ::-1])
CAT = np.ascontiguousarray(skimage.data.cat()[..., ::-1])


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = prepared_database(f"sqlite:///{tmp_path / 'a.db'}")
    yield database
    database.close()


@pytest.fixture
def directory(database: Database) -> KnownPictures:
    return KnownPictures(database)


def _distance(directory: KnownPictures, pixels: np.ndarray, tenant: str | None = None) -> int:
    return directory.nearest(hashes_to_look_up(pixels), tenant).distance


def test_without_a_list_nothing_is_known(directory: KnownPictures) -> None:
    assert _distance(directory, COFFEE) == 256


def test_a_listed_picture_is_recognised_until_it_is_taken_off(database: Database, directory: KnownPictures) -> None:
    with database.write() as session:
        on = create_list(session, None, "mine")
        entry = add_picture(session, on, COFFEE, actor="operator", reason="operator")
    assert _distance(directory, np.ascontiguousarray(COFFEE[:, ::-1])) <= 31
    assert _distance(directory, CAT) > 60
    with database.write() as session:
        remove_entry(session, find_list(session, None, on.id), entry, actor="operator", reason="removed")
    assert _distance(directory, COFFEE) == 256


def test_what_was_taken_down_is_recognised_when_it_comes_back(database: Database, directory: KnownPictures) -> None:
    job = "job_" + "0" * 20
    with database.write() as session:
        assert list_taken_down(session, COFFEE, job_id=job, actor="operator") is not None
        assert list_taken_down(session, GREY, job_id=job, actor="operator") is None
    assert _distance(directory, COFFEE, "ten_a") <= 31


@pytest.mark.parametrize("export", [export_csv, export_json])
def test_a_list_can_be_exchanged(export: object, database: Database, directory: KnownPictures) -> None:
    with database.write() as session:
        on = create_list(session, None, "mine")
        for pixels in (COFFEE, CAT):
            add_picture(session, on, pixels, actor="operator", reason="operator")
        text = export(session, on)  # type: ignore[operator]
        pictures = parse(text)
        assert [rows.shape for rows in pictures] == [(6, 32), (6, 32)]
        theirs = create_list(session, None, "theirs")
        add_entries(session, theirs, pictures, actor="operator", reason="imported", method="import")
        for entry in session.query(PictureEntry).filter_by(list_id=on.id):
            session.delete(entry)
        on.version += 1
    assert _distance(directory, COFFEE) <= 31


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no column"),
        ("hash\n", "no hashes"),
        ("hash\nabc\n", "line 2"),
        ("digest\n" + "0" * 64, "no column"),
        ("{", "not JSON"),
        ('{"format": "other/1", "entries": []}', "format"),
        ('{"format": "assent-hash-list/1", "entries": []}', "no hashes"),
        ('{"format": "assent-hash-list/1", "entries": [{"pdq": ["00"]}]}', "entry 0"),
        ('{"format": "assent-hash-list/1", "entries": [{"pdq": []}]}', "Entry 0"),
        ('{"format": "assent-hash-list/1", "entries": [7]}', "Entry 0"),
    ],
)
def test_what_is_no_list_is_refused(text: str, what: str) -> None:
    with pytest.raises(Problem, match=what):
        parse(text)


def test_a_damaged_list_is_not_an_empty_one(database: Database, directory: KnownPictures) -> None:
    with database.write() as session:
        add_picture(session, create_list(session, None, "mine"), COFFEE, actor="operator", reason="operator")
        session.execute(update(PictureEntry).values(hashes=b"short"))
    for _ in range(2):
        with pytest.raises(ValueError, match="damaged"):
            _distance(directory, COFFEE)


def test_a_plain_picture_is_refused(database: Database) -> None:
    with pytest.raises(Problem, match="structure"), database.write() as session:
        add_picture(session, create_list(session, None, "mine"), GREY, actor="operator", reason="operator")
