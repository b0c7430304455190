"""The lanes of `python -m tests`: a failure counts, unless the few tests that failed beside others pass alone."""

from pathlib import Path

import pytest

from tests import __main__ as lanes

#: A test that fails beside others, and what it does alone: it keeps the count of its runs in a file.
TESTS = """
from pathlib import Path
import pytest

def runs(name):
    file = Path(__file__).with_name(name)
    file.write_text(file.read_text() + "x" if file.exists() else "x")
    return len(file.read_text())

@pytest.fixture
def server():
    assert runs("server") > 1

def test_busy(): assert runs("busy") > 1
def test_server(server): pass
def test_sound(): assert runs("sound") == 1
@pytest.mark.parametrize("n", range({wrong}))
def test_wrong(n): assert False
"""


@pytest.mark.parametrize(
    ("lane", "wrong", "code"),
    [("servers", 0, 0), ("servers", 1, 1), ("servers", 2, 1), ("pure", 0, 1)],
    ids=["few that pass alone", "one that fails again", "more than few", "pure tests depend on no machine"],
)
def test_once_more(lane: str, wrong: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only tests that failed are run again, only where they are few, and the second result counts."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_some.py").write_text(TESTS.format(wrong=wrong))
    monkeypatch.setattr(lanes, "ROOT", tmp_path)
    monkeypatch.setitem(lanes.LANES, lane, ["tests", "-p", "no:randomly"])
    assert lanes.run_lane(lane, ["pytest"], []) == code
