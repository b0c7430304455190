"""Output that nobody reads holds nothing up, and ends nothing."""

import fcntl
import os
import sys
import time
from pathlib import Path
from typing import TextIO, cast

import pytest
from rich.console import Console

from app.patience import MOST, Patient, patient_output


def ends() -> tuple[int, TextIO]:
    """A small pipe: what reads, and a stream that writes."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    return reading, os.fdopen(writing, "w")


def test_all_of_it_comes_in_order() -> None:
    """Once it settles, it was written."""
    reading, stream = ends()
    patient = Patient(stream)
    for number in range(100):
        print(number, "é", file=patient)
    patient.settle()
    assert os.read(reading, 4096).decode().split("\n")[:-1] == [f"{number} é" for number in range(100)]
    assert not patient.isatty() and patient.fileno() == stream.fileno()


def test_a_reader_that_hangs_holds_nothing_up() -> None:
    """Far more than the pipe and the queue take is written at once; what does not fit is left out."""
    reading, stream = ends()
    patient, began = Patient(stream), time.monotonic()
    console = Console(file=cast(TextIO, patient))
    for _ in range(2 * MOST):
        console.print("x" * 79)
    patient.settle(0.1)
    assert time.monotonic() - began < 5
    os.close(reading)  # ends the thread's write


def test_a_reader_that_has_gone_ends_nothing() -> None:
    """As `threadline up | head` has one. Rich ends a program whose output is a broken pipe."""
    reading, stream = ends()
    os.close(reading)
    patient = Patient(stream)
    Console(file=cast(TextIO, patient)).print("to nobody")
    patient.settle()


def test_the_output_of_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is written by its end, before what comes after it; streams without a descriptor stay."""
    file = tmp_path / "output"
    with file.open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        print("before")
        with patient_output():
            print("within")
        print("after")
    assert file.read_text() == "before\nwithin\nafter\n"
