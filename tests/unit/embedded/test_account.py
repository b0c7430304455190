"""Whom root runs PostgreSQL as, and where."""

import os
from pathlib import Path

import pytest

from app.embedded import account
from app.embedded.account import SystemAccount, Unreachable, choose, reachable_binaries, reachable_data

STRANGER = SystemAccount("stranger", 54321, 54321)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder below one that only its owner may enter."""
    folder = tmp_path / "closed" / "data"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    return folder


def test_an_account_passes_by_its_own_bits(tmp_path: Path) -> None:
    """The owner's, the group's and the others' bit each count for whom they are for, and no other."""
    folder = tmp_path / "folder"
    folder.mkdir()
    mine = os.stat(folder)
    owner, member = SystemAccount("o", mine.st_uid, 54321), SystemAccount("m", 54321, mine.st_gid)
    for mode, passing in ((0o100, owner), (0o010, member), (0o001, STRANGER)):
        folder.chmod(mode)
        found = [who for who in (owner, member, STRANGER) if who._passes(folder.stat())]
        assert found == [passing]
    folder.chmod(0o700)


def test_whoever_is_not_root_runs_it_himself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root's rights no other account is taken, and folders are used as they are."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert choose(tmp_path) is None
    assert reachable_data(tmp_path / "data", None) == tmp_path / "data"
    assert reachable_binaries(tmp_path, None, "1") == tmp_path


def test_root_without_an_account_gets_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none of the accounts exists, the message names the ways out."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(account, "CANDIDATES", ("no-such-account-here",))

    with pytest.raises(Unreachable, match=r"ordinary user.*THREADLINE_POSTGRES__DSN"):
        choose(tmp_path / "data")


def test_data_that_cannot_be_reached_is_linked_to_where_it_can(
    closed: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster goes to a folder of root's that the account reaches, and is found there again."""
    state = closed.parents[1] / "state"
    monkeypatch.setattr(account, "STATE", state)
    monkeypatch.setattr(SystemAccount, "reaches", lambda self, path: state in path.parents)

    place = reachable_data(closed / "cluster", STRANGER)

    assert state in place.parents
    assert (closed / "cluster").resolve() == place
    assert reachable_data(closed / "cluster", STRANGER) == place


def test_binaries_that_cannot_be_reached_are_copied_once(
    closed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The account gets a copy, made once for each version, whole or not at all."""
    (closed / "bin").mkdir()
    (closed / "bin" / "postgres").write_text("one")
    cache = tmp_path / "cache"
    monkeypatch.setattr(account, "CACHE", cache)
    monkeypatch.setattr(SystemAccount, "reaches", lambda self, path: cache in path.parents)

    copy = reachable_binaries(closed, STRANGER, "18.1")
    (closed / "bin" / "postgres").write_text("two")

    assert reachable_binaries(closed, STRANGER, "18.1") == copy
    assert (copy / "bin" / "postgres").read_text() == "one"
    assert (reachable_binaries(closed, STRANGER, "18.2") / "bin" / "postgres").read_text() == "two"


def test_where_nothing_can_be_reached_the_message_says_what_to_do(
    closed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An account that reaches nothing ends the start with a way out."""
    monkeypatch.setattr(account, "STATE", tmp_path / "state")
    monkeypatch.setattr(SystemAccount, "reaches", lambda self, path: False)

    with pytest.raises(Unreachable, match=r"stranger cannot use .*THREADLINE_DATA"):
        reachable_data(closed / "cluster", STRANGER)
