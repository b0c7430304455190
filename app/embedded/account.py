"""Who runs PostgreSQL, and where: it refuses root, and an account without rights may not reach root's folders."""

import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

#: Accounts that root runs PostgreSQL as, the first that exists.
CANDIDATES = ("postgres", "nobody")

#: Where root keeps what that account must reach, if it cannot reach the folder it was asked to use.
STATE = Path("/var/lib/threadline")
CACHE = Path("/var/cache/threadline")


class Unreachable(Exception):
    """No account, or no folder, that PostgreSQL could run with. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """An operating-system account by its numbers."""

    name: str
    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Whether it may pass through every folder above `path` (judged by permission bits, not by access lists)."""
        return all(self._passes(folder.stat()) for folder in path.absolute().parents if folder.exists())

    def _passes(self, folder: os.stat_result) -> bool:
        if folder.st_uid == self.uid:
            return bool(folder.st_mode & stat.S_IXUSR)
        if folder.st_gid == self.gid:
            return bool(folder.st_mode & stat.S_IXGRP)
        return bool(folder.st_mode & stat.S_IXOTH)


def choose(data: Path) -> Account | None:
    """The account to run as: None (ourselves) unless we are root; then who owns `data` if it is there, else a candidate.

    Raises Unreachable where root has no such account.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat().st_uid) != 0:
        entry = pwd.getpwuid(owner)
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise Unreachable(
        f"PostgreSQL refuses to run as root, and there is no account {' or '.join(CANDIDATES)} to run it as: "
        "start Threadline as an ordinary user, or set THREADLINE_POSTGRES__DSN to a server that runs elsewhere"
    )


def reachable_data(folder: Path, account: Account | None) -> Path:
    """Where the data folder `folder` really is: itself, or a folder of root's that `account` reaches, linked from it.

    Raises Unreachable where neither can be had.
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


def reachable_binaries(folder: Path, account: Account | None, version: str) -> Path:
    """`folder`, or a copy of it that `account` reaches, made once for each `version`. Raises Unreachable.

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


def _advice(folder: Path, account: Account, error: OSError | None) -> str:
    why = f": {error.strerror}" if error else ""
    return (
        f"PostgreSQL cannot run as root, and {account.name} cannot use {folder}{why}. Set THREADLINE_DATA to a folder "
        f"that {account.name} can reach (for example under /srv), or start Threadline as an ordinary user"
    )
