"""Notices that the settings file, a definition file or a file of TLS was changed, by what the file system says of each."""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.declared import definition_files
from app.settings import Settings, settings_file


@dataclass(frozen=True, slots=True)
class Stamp:
    """The state of the files at one moment: of each its inode, the time of its last change in nanoseconds, and its size."""

    files: tuple[tuple[str, int, int, int], ...]

    @property
    def text(self) -> str:
        """The stamp as 16 hexadecimal digits, to compare with one of another process. It contains nothing of the files."""
        return sha256(repr(self.files).encode()).hexdigest()[:16]

    def changed_since(self, earlier: "Stamp") -> list[str]:
        """Return the names of the files that were changed, added or removed since."""
        return sorted({name for name, *_ in set(self.files) ^ set(earlier.files)})


def stamp_of_file() -> Stamp:
    """Return the present state of the settings file alone."""
    return Stamp(_state(settings_file()))


def stamp_of(settings: Settings, file: Stamp | None = None) -> Stamp:
    """Return the present state of the files that these settings come from, and of those of TLS that they name; `file` is that of
    the settings file, if it was taken earlier."""
    named = (*_listed(settings.definitions_folder), *settings.door.tls.files)
    return Stamp((file or stamp_of_file()).files + tuple(state for each in named for state in _state(each)))


def _listed(definitions: Path) -> list[Path]:
    try:
        return definition_files(definitions)
    except OSError:  # reading the settings will report it
        return []


def _state(file: Path) -> tuple[tuple[str, int, int, int], ...]:
    try:
        found = os.stat(file)
    except OSError:
        return ()
    return ((file.name, found.st_ino, found.st_mtime_ns, found.st_size),)
