"""A file that cannot be read, by every command that is given one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.clients.accounts import read_from
from app.cli.clients.documents import Unreadable, document_of
from app.cli.program import program

#: Each command that reads one before it asks a server, with FILE in the place of the file.
READING = [
    ("send", "--file", "FILE"),
    ("explain", "FILE"),
    ("explain", "given", "--setting", "auth_token=@FILE"),
    ("simulate", "twilio", "--setting", "auth_token=@FILE"),
    ("erasure", "verify", "FILE"),
    ("erasure", "replay", "FILE", "--unsigned"),
    ("settings", "check", "FILE"),
]


@pytest.mark.parametrize("command", READING, ids=" ".join)
@pytest.mark.parametrize("file", ["nowhere", "folder", "latin"])
def test_why_is_said_in_words(
    command: tuple[str, ...], file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a traceback, the number of an error or the name of a codec."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin").write_bytes(b"caf\xe9 = 1\n")
    (tmp_path / "given").write_text("GET / HTTP/1.1\nHost: x\n\n")
    nowhere = {"THREADLINE_API_URL": "http://127.0.0.1:1", "THREADLINE_API_KEY": "tl_none", "COLUMNS": "200"}
    ran = CliRunner().invoke(program, [word.replace("FILE", file) for word in command], env=nowhere)
    assert ran.exit_code and isinstance(ran.exception, SystemExit), ran.exception
    assert not [word for word in ("Errno", "codec", "Traceback") if word in ran.output], ran.output
    assert file == "latin" or file in ran.output, ran.output


@pytest.mark.parametrize("read", [document_of, lambda file: read_from(f"@{file}", Path())], ids=["document", "secret"])
def test_a_file_of_a_client_too(read: Callable[[str], object], tmp_path: Path) -> None:
    """Which is read when the database is open."""
    (tmp_path / "latin").write_bytes(b"caf\xe9 = 1\n")
    for file, words in (("nowhere", "No such file or directory"), ("", "Is a directory"), ("latin", "it is not UTF-8")):
        with pytest.raises(Unreadable) as error:
            read(str(tmp_path / file))
        assert str(error.value) == f"{tmp_path / file} cannot be read: {words}"
