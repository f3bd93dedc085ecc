"""What was heard, on disk: read as it was written, or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from webapi.voice_node.replay.sweep.heard_cache import HeardCache, Judged

SAID = [Judged(True, 0.123456789012345), Judged(False, None), Judged(True, 0.0, 0.7), Judged(False, 1.0, 0.0)]


def written(folder: Path, name: str = "a", said: list[Judged] = SAID) -> tuple[HeardCache, Path]:
    cache = HeardCache(folder)
    path = cache.path(name)
    cache.write(path, said)
    return cache, path


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    cache, path = written(tmp_path / "new" / "folder")
    assert cache.read(path, len(SAID)) == SAID
    assert cache.read(cache.path("b"), len(SAID)) is None
    assert (cache.problem, [each.name for each in path.parent.iterdir()]) == ("", [path.name])


def test_of_no_frames(tmp_path: Path) -> None:
    cache, path = written(tmp_path, said=[])
    assert cache.read(path, 0) == []


def test_names_are_not_run_together(tmp_path: Path) -> None:
    cache = HeardCache(tmp_path)
    assert len({cache.path("a", "bc"), cache.path("ab", "c"), cache.path("abc")}) == 3


@pytest.mark.parametrize("at", [0, 20, 60, -1])
def test_a_byte_that_changed_makes_it_worth_nothing(tmp_path: Path, at: int) -> None:
    cache, path = written(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[at] ^= 1
    path.write_bytes(whole)
    assert cache.read(path, len(SAID)) is None


def test_a_file_of_any_shorter_length_is_worth_nothing(tmp_path: Path) -> None:
    cache, path = written(tmp_path)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert cache.read(path, len(SAID)) is None
    path.write_bytes(whole + b"more")
    assert cache.read(path, len(SAID)) is None


@pytest.mark.parametrize("count", [0, 3, 5])
def test_one_of_another_number_of_frames_is_worth_nothing(tmp_path: Path, count: int) -> None:
    cache, path = written(tmp_path)
    assert cache.read(path, count) is None


def test_two_that_write_the_same_file_while_another_reads_it(tmp_path: Path) -> None:
    cache = HeardCache(tmp_path)
    path = cache.path("a")
    said = [Judged(bool(i % 3), i / 1024) for i in range(1000)]
    ready = threading.Barrier(3)
    seen: list[list[Judged] | None] = []

    def write() -> None:
        mine = HeardCache(tmp_path)
        ready.wait()
        for _ in range(40):
            mine.write(path, said)
            assert mine.problem == ""

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    ready.wait()
    while any(writer.is_alive() for writer in writers) or not seen:
        seen.append(cache.read(path, len(said)))
    assert all(each in (None, said) for each in seen)
    assert None not in seen[seen.index(said) :] if said in seen else True
    assert cache.read(path, len(said)) == said
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    size = written(tmp_path / "one")[1].stat().st_size
    tmp_path /= "all"
    tmp_path.mkdir()
    cache = HeardCache(tmp_path, max_bytes=3 * size + size // 2)
    paths = {name: cache.path(name) for name in "abcd"}
    for age, name in enumerate("abc"):
        cache.write(paths[name], SAID)
        os.utime(paths[name], (1000 + age, 1000 + age))
    left = tmp_path / "x.part"  # of a process that was killed
    left.write_bytes(bytes(size))
    os.utime(left, (1, 1))
    assert cache.read(paths["a"], len(SAID)) == SAID  # used now
    cache.write(paths["d"], SAID)
    assert {name for name, path in paths.items() if path.exists()} == {"a", "c", "d"}
    assert not left.exists()


def test_the_newest_stays_however_large_it_is(tmp_path: Path) -> None:
    cache = HeardCache(tmp_path, max_bytes=1)
    for name in "ab":
        cache.write(cache.path(name), SAID)
    assert list(tmp_path.iterdir()) == [cache.path("b")]


def test_a_folder_that_cannot_be_written_is_told_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = HeardCache(tmp_path / "file" / "heard")
    cache.write(cache.path("a"), SAID)
    assert "can't be written" in cache.problem
    assert cache.read(cache.path("a"), len(SAID)) is None


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", home)
    cache = HeardCache()
    cache.write(cache.path("a"), SAID)
    assert "can't be written" in cache.problem
    assert cache.read(cache.path("a"), len(SAID)) is None
