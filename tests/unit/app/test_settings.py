"""Settings that cannot be meant are refused as they are read, with a name and what to do, and never with a value."""

import re
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any

import pytest
from pydantic import ValidationError

from app.cli.settings.reference import page, rows
from app.settings import Settings
from app.settings.wording import worded
from app.variables import fields_of, variable

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THREADLINE_DATA", str(tmp_path))
    monkeypatch.delenv("THREADLINE_CONFIG", raising=False)


def refusal(**given: Any) -> str:
    """The words for settings that are refused; also pydantic's own, as a traceback shows them."""
    with pytest.raises(ValidationError) as refused:
        Settings(**given)
    assert "kept-from-words" not in str(refused.value)
    return "\n".join(worded(refused.value))


def test_every_misspelt_name_of_a_file_is_refused(tmp_path: Path) -> None:
    """One letter too many in any table or key, with the name that was meant."""
    for path, _ in fields_of(Settings):
        wrong = (*path[:-1], f"{path[-1]}x")
        table = "" if len(path) == 1 else f"[{'.'.join(path[:-1])}]\n"
        (tmp_path / "threadline.toml").write_text(f'{table}{wrong[-1]} = "kept-from-words"\n', "utf-8")
        output = refusal()
        assert f"{'.'.join(wrong)}: there is no such setting" in output
        assert f"did you mean {'.'.join(path)}?" in output
    (tmp_path / "threadline.toml").write_text("[dor]\nport = 9\n", "utf-8")
    assert "dor: there is no such setting; did you mean door?" in refusal()


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    """With the line, and without what stands in it."""
    file = tmp_path / "threadline.toml"
    for text in ("[door]\nport = 1\n[door]\n", '[secrets]\nkeys = ["kept-from-words\n'):
        file.write_text(text, "utf-8")
        with pytest.raises(TOMLDecodeError) as refused:
            Settings()
        (words,) = worded(refused.value)
        assert words.startswith(f"{file}: ") and "line" in words and "kept-from-words" not in words


def test_a_section_that_occurs_twice_is_named(tmp_path: Path) -> None:
    """As when two examples are pasted one after the other: the error says which section, where, and what to do."""
    file = tmp_path / "threadline.toml"
    for text, error in (
        (
            '[sources.twilio]\nauth_token = "a"\n\n[sources.twilio]\nsender = "b"\n',
            "line 4: there is a section [sources.twilio] already: put the settings of both into one",
        ),
        ("[door]\nport = 1\n[door]\n", "line 3: there is a section [door] already: put the settings of both into one"),
        ("[door]\nport = 1\nport = 2\n", "line 3: this name has a value already: keep one of the two"),
    ):
        file.write_text(text, "utf-8")
        with pytest.raises(TOMLDecodeError) as refused:
            Settings()
        assert worded(refused.value) == [f"{file}: {error}"]


def test_every_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the name of the table, in that of the setting, and with one underscore for two."""
    for path, _ in fields_of(Settings):
        right = variable(path)
        for wrong in {f"{right}X", right.replace("__", "_"), right.replace("THREADLINE_", "THREADLINE_X")} - {right}:
            monkeypatch.setenv(wrong, "kept-from-words")
            output = refusal()
            assert wrong in output or ".".join((*path[:-1], f"{path[-1]}x")) in output
            assert "did you mean" in output, (wrong, output)
            monkeypatch.delenv(wrong)


def test_what_kubernetes_sets_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of a Service that is named as we are, in both forms of Kubernetes' documentation; not ours."""
    service = {
        "THREADLINE_SERVICE_HOST": "10.0.0.11",
        "THREADLINE_SERVICE_PORT": "8080",
        "THREADLINE_SERVICE_PORT_HTTP": "8080",
        "THREADLINE_PORT": "tcp://10.0.0.11:8080",
        "THREADLINE_PORT_8080_TCP": "tcp://10.0.0.11:8080",
        "THREADLINE_PORT_8080_TCP_PROTO": "tcp",
        "THREADLINE_PORT_8080_TCP_PORT": "8080",
        "THREADLINE_PORT_8080_TCP_ADDR": "10.0.0.11",
        "THREADLINE_DOOR_PORT": "tcp://10.0.0.11:8080",
    }
    for name, value in service.items():
        monkeypatch.setenv(name, value)
    Settings()
    monkeypatch.setenv("THREADLINE_DOOR_PORT", "9000")
    assert "THREADLINE_DOOR_PORT is no setting; did you mean THREADLINE_DOOR__PORT?" in refusal()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            {"twilio": {"auth_tokn": "kept-from-words"}},
            "sources.twilio: a key is no setting of twilio; did you mean auth_token?",
        ),
        ({"twilio": {"auth_token": ["good", " "]}}, "sources.twilio.auth_token is empty"),
        ({"voice": {"adapter": "sinch", "application_secret": "kept-from-words!"}}, "sources.voice.application_secret"),
        ({"sendgrid": {"public_key": "kept-from-words"}}, "sources.sendgrid.public_key"),
        ({"mailgun": {"signing_key": "k", "max_age": "kept-from-words"}}, "sources.mailgun.max_age"),
        ({"mailjet": {"basic_auth": "kept-from-words:"}}, "sources.mailjet.basic_auth"),
    ],
)
def test_a_source_that_cannot_be_meant_is_refused(source: dict[str, Any], says: str) -> None:
    """Unknown keys, empty secrets, keys that cannot be read: source and key are named."""
    assert says in refusal(sources=source)


def test_the_page_is_what_the_models_say() -> None:
    """`threadline settings --markdown > docs/settings.md` changes nothing, and each setting says what it is for."""
    text = page()
    assert (DOCS / "settings.md").read_text("utf-8") == text
    assert not [line for line in text.splitlines() if line.endswith("|  |")]


def test_the_page_has_a_section_for_each_table() -> None:
    """So that a page can lead to the settings that it speaks of: each has its own table's, which the top lists."""
    sections = re.split(r"^## (.+)$", page(), flags=re.MULTILINE)
    found = dict(zip(sections[1::2], sections[2::2], strict=True))
    for path, *_ in rows():
        section = path.partition(".")[0] if "." in path else "Folders"
        assert f"\n| `{path}` |" in found[section] and f"[{section}](#{section.lower()})" in sections[0]


def test_a_fault_names_the_variable_or_the_file_of_its_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable where there is one, whatever the file has; a value in a list, and a source, are found too."""
    file = tmp_path / "threadline.toml"
    file.write_text('[door]\nport = "kept-from-words"\n[sources.twilio]\nauth_tokn = "kept-from-words"\n', "utf-8")
    lines = refusal().splitlines()
    assert [line for line in lines if line.startswith("door.port: ") and line.endswith(f" (from {file}:2)")]
    monkeypatch.setenv("THREADLINE_DOOR__PORT", "kept-from-words")
    assert [line for line in refusal().splitlines() if line.endswith(" (from THREADLINE_DOOR__PORT)")]
    monkeypatch.setenv("THREADLINE_CALLBACKS", '{"http_hosts": [["kept-from-words"]]}')
    assert "(from THREADLINE_CALLBACKS)" in refusal()
    file.write_text('[callbacks]\nhttp_hosts = [["kept-from-words"]]\n', "utf-8")
    monkeypatch.delenv("THREADLINE_CALLBACKS")
    assert f"callbacks.http_hosts.0: must be text (from {file}:2)" in refusal()


@pytest.mark.parametrize(
    ("section", "name", "value", "words"),
    [
        ("door", "port", "many", "must be a whole number"),
        ("door", "port", 1.5, "must be a whole number"),
        ("door", "port", 70_000, "must be 65535 or less"),
        ("worker", "port", 0, "must be 1 or more"),
        ("postgres", "pool", 0, "must be 1 or more"),
        ("kafka", "partitions", 0, "must be 1 or more"),
        ("door", "idle_timeout", 0, "must be more than 0"),
        ("door", "idle_timeout", "long", "must be a number"),
        ("door", "max_header_bytes", 1 << 20, "must be 65536 or less"),
        ("worker", "fast_batches", "perhaps", "must be true or false"),
        ("kafka", "security_protocol", "TLS", "must be 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ("callbacks", "http_hosts", "localhost", 'must be a list, as ["a", "b"]'),
        ("door", None, 5, "must be a section of names and values"),
    ],
)
def test_faults_of_values_are_plain_words(section: str, name: str | None, value: Any, words: str) -> None:
    """What the value must be, in the words of the pages; never the value."""
    (line,) = refusal(**{section: value if name is None else {name: value}}).splitlines()
    assert line.startswith(f"{section}.{name}: {words}" if name else f"{section}: {words}")
    assert not isinstance(value, str) or value not in line


def test_an_approval_waits_no_longer_than_the_audit_is_kept() -> None:
    """The approval asks the audit whether the right of who asked was withdrawn."""
    assert "erasure.approval_days cannot be more than retention.audit" in refusal(
        erasure={"approval_days": 31}, retention={"audit": 30}
    )
    for days, kept in ((365, 0), (30, 30)):
        Settings.model_validate({"erasure": {"approval_days": days}, "retention": {"audit": kept}})
