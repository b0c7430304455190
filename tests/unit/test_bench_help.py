"""`python -m bench.NAME -h`, of each module that can be run."""

import importlib
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [*(ROOT / "bench").glob("*.py"), *(ROOT / "bench" / "profile").glob("*.py")]
RUNNABLE = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for file in FILES
    if "__main__" in file.read_text()
)


def executed(name: str) -> str:
    """The module that `python -m NAME` executes: of a package, its `__main__`."""
    return f"{name}.__main__" if (ROOT / name.replace(".", "/")).is_dir() else name


def ended(name: str, *arguments: str) -> int | str | None:
    """How a module ends with these arguments."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(sys, "argv", [name, *arguments])
        patch.setenv("COLUMNS", "80")
        patch.delitem(sys.modules, executed(name), raising=False)  # else runpy warns that it is imported already
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    return end.value.code


@pytest.mark.parametrize("name", RUNNABLE)
def test_each_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What it does and which arguments it takes, in lines that fit the terminal; a wrong argument is told, and nothing is run."""
    assert ended(name, "-h") == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: python -m {name} [-h]") and len(out.split("\n\n")[1].split()) > 5, out
    assert max(map(len, out.splitlines())) <= 80, out
    assert ended(name, "--nonsense") == 2
    assert "error: " in capsys.readouterr().err


def test_what_was_imported_before_is_run_all_the_same() -> None:
    """As by a test that ran earlier in the same process."""
    for name in RUNNABLE:
        importlib.import_module(executed(name))
        assert ended(name, "-h") == 0


def test_what_is_measured_with_others_says_by_what() -> None:
    """Instead of doing nothing."""
    assert len(RUNNABLE) > 10
    assert ended("bench.store") == 2
