"""The README, CONTRIBUTING and the pages of docs/: each command and each setting that their code names exists."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.core import TyperGroup

from app.cli.program import COMMANDS, load
from app.settings import Settings
from tests.unit.docs.pages import ROOT, code

DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?:^|(?<=[\s(|;$/]))threadline +([a-z][a-z-]*)((?: +[^\s`#|;)<>]+)*)")
SECTIONS = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
}
#: Settings of Kafka's topics, which are called as a section of ours.
KAFKAS = {"retention.ms", "retention.bytes"}
SETTING = re.compile(rf"(?:{'|'.join(SECTIONS)})(?:\.[a-z0-9_]+)+")


def missing_command(name: str, rest: list[str]) -> str | None:
    """Return what of a command line after `threadline` does not exist: the command, its own command, or an option."""
    if name not in COMMANDS:
        return name
    command = load(name)
    if isinstance(command, TyperGroup):
        word = next((word for word in rest if not word.startswith("-")), None)
        if word is None:
            return None
        if word not in command.commands:
            return f"{name} {word}"
        command = command.commands[word]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    path = f"{name} {command.name}" if command.name != name else name
    options = [word.partition("=")[0] for word in rest if re.match(r"--[a-z]", word)]
    return next((f"{path} {option}" for option in options if option not in known | {"--help"}), None)


def missing_setting(name: str) -> bool:
    """Whether no setting has this name, `section.name`."""
    model: object = Settings
    for part in name.split("."):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return True
        names = {field.alias or key: field.annotation for key, field in model.model_fields.items()}
        if part not in names:
            return True
        model = names[part]
    return False


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.name))
def test_each_command_exists(page: Path) -> None:
    """A command line in code, `threadline …`, names a command, its own command and options that the program has."""
    found = [match for piece in code(page.read_text("utf-8")) for match in COMMAND.findall(piece)]
    assert not [gone for name, rest in found if (gone := missing_command(name, rest.split()))]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.name))
def test_each_setting_exists(page: Path) -> None:
    """A piece of code that is a setting's name, such as `door.port`, names one of the settings' model."""
    found = [piece.split(" ")[0] for piece in code(page.read_text("utf-8"))]
    assert not [name for name in found if SETTING.fullmatch(name) and name not in KAFKAS and missing_setting(name)]


def test_what_does_not_exist_is_found() -> None:
    """A wrong command, a wrong command of a group, a wrong option and a wrong setting are each named."""
    assert missing_command("srve", []) == "srve"
    assert missing_command("keys", ["make", "shop"]) == "keys make"
    assert missing_command("keys", ["create", "shop", "--scoop"]) == "keys create --scoop"
    assert missing_command("keys", ["create", "shop", "--scope", "messages:read"]) is None
    assert (
        missing_setting("door.prot") and missing_setting("door.port.number") and not missing_setting("blobs.s3.bucket")
    )
