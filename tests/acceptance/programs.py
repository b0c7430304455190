"""Finds the programs that acceptance tests run and that no package of the project brings."""

import os
import shutil

import pytest


def program(name: str, how: str) -> str:
    """Return the path of a program: the value of the variable `<NAME>_PROGRAM`, else from PATH. Fails the test, saying `how` to
    get it, where there is none."""
    variable = f"{name.upper().replace('-', '_')}_PROGRAM"
    found = os.environ.get(variable) or shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not on PATH, and {variable} is not set: {how}")
    return found
