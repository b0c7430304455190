"""The file that a receipt is written to."""

from pathlib import Path

from app.cli.erasure.receipt_file import keep, unusable


def test_a_file_is_looked_at_without_a_trace(tmp_path: Path) -> None:
    """A new one, an empty one, and one that is no file may be written; nothing is left of the look."""
    empty = tmp_path / "empty.json"
    empty.touch()
    assert not any(map(unusable, (None, empty, tmp_path / "new.json", Path("/dev/null"))))
    assert [file.name for file in tmp_path.iterdir()] == ["empty.json"]


def test_what_cannot_take_a_receipt_is_said(tmp_path: Path) -> None:
    """A folder, one in no folder, and one that has something in it, which stays; writing raises nothing either."""
    full, nowhere = tmp_path / "full.json", tmp_path / "none" / "receipt.json"
    full.write_text("{}")
    assert "has something in it already" in str(unusable(full)) and full.read_text() == "{}"
    assert "Is a directory" in str(unusable(tmp_path)) and "No such file" in str(unusable(nowhere))
    assert "No such file" in str(keep({"erasureId": "1"}, nowhere))
    assert keep({"erasureId": "1"}, tmp_path / "new.json") is None
