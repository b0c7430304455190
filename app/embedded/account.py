"""Chooses the account and folder for the embedded PostgreSQL, which refuses to run as root."""

import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

#: Accounts as which root runs PostgreSQL: the first that exists.
CANDIDATES = ("postgres", "nobody")

#: Folders that root uses if that account cannot reach the requested one.
STATE = Path("/var/lib/threadline")
CACHE = Path("/var/cache/threadline")


class Unreachable(Exception):
    """PostgreSQL has no account or folder to run with. The message says what to do."""


@dataclass(frozen=True, slots=True)
class SystemAccount:
    """An operating-system account: user id and group id."""

    name: str
    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Return whether the account may traverse every folder above `path`, by permission bits (access lists are ignored)."""
        return all(self._passes(folder.stat()) for folder in path.absolute().parents if folder.exists())

    def _passes(self, folder: os.stat_result) -> bool:
        if folder.st_uid == self.uid:
            return bool(folder.st_mode & stat.S_IXUSR)
        if folder.st_gid == self.gid:
            return bool(folder.st_mode & stat.S_IXGRP)
        return bool(folder.st_mode & stat.S_IXOTH)


def choose(data: Path) -> SystemAccount | None:
    """Return the account to run as: None for the current user; for root, the owner of `data` if it exists, else a candidate.

    Raises Unreachable if there is no such account.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat().st_uid) != 0:
        entry = pwd.getpwuid(owner)
        return SystemAccount(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return SystemAccount(name, entry.pw_uid, entry.pw_gid)
    raise Unreachable(
        f"PostgreSQL refuses to run as root, and there is no account {' or '.join(CANDIDATES)} to run it as: "
        "start Threadline as an ordinary user, or set THREADLINE_POSTGRES__DSN to a server that runs elsewhere"
    )


def reachable_data(folder: Path, account: SystemAccount | None) -> Path:
    """Return the real place of the data folder `folder`: itself, or another folder that `account` can reach, linked from it.

    Raises Unreachable if there is neither.
    """
    if folder.is_symlink():
        return folder.resolve()
    folder = folder.absolute()
    if account is None or folder.exists() or account.reaches(folder):
        return folder
    try:
        STATE.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=STATE, prefix=f"{folder.parent.parent.name.lstrip('.')}-")) / folder.name
        place.parent.chmod(0o711)
        folder.symlink_to(place)
    except OSError as error:
        raise Unreachable(_advice(folder, account, error)) from error
    if not account.reaches(place):
        raise Unreachable(_advice(place, account, None))
    return place


def reachable_binaries(folder: Path, account: SystemAccount | None, version: str) -> Path:
    """Return `folder`, or a copy that `account` can reach, made once per `version`. Raises Unreachable.

    A wheel keeps its shared libraries in a folder `<package>.libs` beside the package, where its programs look for them
    (https://github.com/pypa/auditwheel): that is copied along, in the same place.
    """
    if account is None or account.reaches(folder / "bin" / "postgres"):
        return folder
    package, whole = folder.parent, CACHE / f"postgresql-{version}"
    copy, libraries = whole / package.name / folder.name, package.with_name(f"{package.name}.libs")
    try:
        if not whole.exists():
            unfinished = whole.with_name(f"{whole.name}.{os.getpid()}")
            shutil.copytree(folder, unfinished / package.name / folder.name, symlinks=True)
            if libraries.exists():
                shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
            unfinished.replace(whole)
    except OSError as error:
        raise Unreachable(_advice(copy, account, error)) from error
    if not account.reaches(copy / "bin" / "postgres"):
        raise Unreachable(_advice(copy, account, None))
    return copy


def _advice(folder: Path, account: SystemAccount, error: OSError | None) -> str:
    why = f": {error.strerror}" if error else ""
    return (
        f"PostgreSQL cannot run as root, and {account.name} cannot use {folder}{why}. Set THREADLINE_DATA to a folder "
        f"that {account.name} can reach (for example under /srv), or start Threadline as an ordinary user"
    )
