"""The question that a command asks before a change, within asyncio."""

import signal
import subprocess
import sys

import pytest

QUESTION = "Go on? [y/N] "
ASKS = """import asyncio, signal
from app.cli.support.progress import confirmed

async def ask():
    print(confirmed("Go on?", False))

signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(ask())
"""


def asking() -> "subprocess.Popen[str]":
    """A program that asks and prints whether it may."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", ASKS], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_one_ctrl_c_ends_the_question() -> None:
    """At once: nothing has to be answered, and no second one is needed."""
    with asking() as program:
        assert program.stderr and program.stdout and program.stderr.read(len(QUESTION)) == QUESTION
        program.send_signal(signal.SIGINT)
        assert program.wait(10) == -signal.SIGINT and program.stdout.read() == ""


@pytest.mark.parametrize(("given", "said"), [("y\n", "True\n"), ("n\n", "False\n"), ("", "False\n")])
def test_an_answer_counts(given: str, said: str) -> None:
    """Only yes is yes."""
    with asking() as program:
        out, error = program.communicate(given, timeout=30)
        assert out == said and error.startswith("Go on? [y/N] ")
