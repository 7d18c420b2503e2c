"""Files come whole, from https or a mirror, or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from pipeline.errors import ModelUnavailable
from pipeline.models.fetch import Fetched, fetch, inside, is_folder

DATA = bytes(range(256)) * 5000
DIGEST = hashlib.sha256(DATA).hexdigest()
URL = "https://models.example/a%20b/w.onnx?token=secret#part"
Answer = Callable[[httpx.Request], httpx.Response]


def get(target: Path, answer: Answer, source: str = URL, *, limit: int = 1 << 30) -> Fetched:
    target.touch()
    return fetch(source, target, limit=limit, transport=httpx.MockTransport(answer))


def refused(target: Path, answer: Answer, code: str, source: str = URL, **rest: int) -> ModelUnavailable:
    with pytest.raises(ModelUnavailable) as refusal:
        get(target, answer, source, **rest)
    assert refusal.value.code == code
    return refusal.value


def whole(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=iter([DATA]), headers={"content-length": str(len(DATA))})


def redirect(to: str) -> Answer:
    return lambda request: (
        httpx.Response(302, headers={"location": to}) if request.url.host == "models.example" else whole(request)
    )


def test_a_file_comes_with_its_digest_and_an_origin_without_secrets(tmp_path: Path) -> None:
    came = get(tmp_path / "w", whole)
    assert (tmp_path / "w").read_bytes() == DATA
    assert came == Fetched(DIGEST, len(DATA), "https://models.example/a%20b/w.onnx")


def test_a_mirror_on_this_machine_gives_the_same(tmp_path: Path) -> None:
    source = tmp_path / "a b.onnx"
    source.write_bytes(DATA)
    came = get(tmp_path / "w", whole, source.as_uri())
    assert (came.sha256, came.size) == (DIGEST, len(DATA))


def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    (tmp_path / "w").touch()
    transport = httpx.MockTransport(whole)
    fetch(URL, tmp_path / "w", limit=1 << 30, progress=lambda *step: seen.append(step), transport=transport)
    assert seen[-1] == (len(DATA), len(DATA))


@pytest.mark.parametrize(
    "source",
    [
        "http://models.example/w.onnx",
        "ftp://models.example/w.onnx",
        "/srv/w.onnx",
        "w.onnx",
        "file://elsewhere/srv/w.onnx",
        "file:w.onnx",
        "https:///w.onnx",
        "https://user:word@models.example/w.onnx",
        "https://[broken/w.onnx",
        "javascript:alert(1)",
        "",
    ],
)
def test_any_other_address_is_refused(tmp_path: Path, source: str) -> None:
    refused(tmp_path / "w", whole, "download_refused", source)


def test_a_redirect_to_https_is_followed(tmp_path: Path) -> None:
    assert get(tmp_path / "w", redirect("https://cdn.example/w")).sha256 == DIGEST


@pytest.mark.parametrize(
    "to", ["http://cdn.example/w", "file:///etc/passwd", "ftp://cdn.example/w", "https://a:b@cdn.example/w"]
)
def test_a_redirect_is_held_to_the_same_rules(tmp_path: Path, to: str) -> None:
    refused(tmp_path / "w", redirect(to), "download_refused")


def test_an_endless_chain_of_redirects_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path / "w", redirect("https://models.example/again"), "download_refused")
    assert "redirects" in error.message


def test_a_file_that_announces_too_much_is_refused_before_it_comes(tmp_path: Path) -> None:
    error = refused(tmp_path / "w", whole, "download_too_large", limit=len(DATA) - 1)
    assert "max_bytes" in error.hint
    assert (tmp_path / "w").stat().st_size == 0


def test_a_file_that_announces_nothing_is_cut_at_the_limit(tmp_path: Path) -> None:
    def endless(_: httpx.Request) -> httpx.Response:
        def forever() -> Iterator[bytes]:
            while True:
                yield bytes(1 << 16)

        return httpx.Response(200, content=forever())

    refused(tmp_path / "w", endless, "download_too_large", limit=3 << 20)
    assert (tmp_path / "w").stat().st_size <= 3 << 20


def test_a_file_that_breaks_off_is_refused(tmp_path: Path) -> None:
    def short(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=iter([DATA[:1000]]), headers={"content-length": str(len(DATA))})

    assert "1000" in refused(tmp_path / "w", short, "download_failed").message


def test_a_file_that_comes_in_a_changed_form_is_refused(tmp_path: Path) -> None:
    def packed(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=iter([b"x"]), headers={"content-encoding": "gzip"})

    refused(tmp_path / "w", packed, "download_refused")


@pytest.mark.parametrize("status", [301, 403, 404, 500])
def test_an_error_of_the_server_is_named(tmp_path: Path, status: int) -> None:
    error = refused(tmp_path / "w", lambda _: httpx.Response(status), "download_failed")
    assert str(status) in error.message and "secret" not in error.message


def test_a_server_that_cannot_be_reached_and_a_file_that_is_not_there_are_named(tmp_path: Path) -> None:
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    assert "no route" in refused(tmp_path / "w", away, "download_failed").message
    refused(tmp_path / "w", whole, "download_failed", (tmp_path / "none").as_uri())


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", ""):
        refused(tmp_path / "w", whole, "download_refused", (tmp_path / name).as_uri())


def test_a_file_larger_than_the_disk_is_refused(tmp_path: Path) -> None:
    def huge(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=iter([b"x"]), headers={"content-length": str(1 << 60)})

    assert "fit" in refused(tmp_path / "w", huge, "download_failed", limit=1 << 62).message


def test_folders_are_told_from_files(tmp_path: Path) -> None:
    assert is_folder(tmp_path.as_uri()) and is_folder("https://models.example/all/")
    assert not is_folder("https://models.example/w.onnx")
    assert inside("https://models.example/all/", "a b.onnx") == "https://models.example/all/a%20b.onnx"
    assert inside("https://models.example/all?x=1", "w") == "https://models.example/all/w?x=1"
