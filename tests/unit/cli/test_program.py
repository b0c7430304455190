"""The program `threadline` and its table of commands."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text
from typer.testing import CliRunner

import app.cli
from app.cli.program import COMMANDS, MEANT, load, program

#: Modules of `app.cli` that are not commands.
OTHERS = {"__init__", "__main__", "program", "support"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_has_the_first_paragraph_of_each_commands_help(name: str) -> None:
    """What `threadline --help` lists is what the command's own help begins with."""
    paragraph, *_ = load(name).help.replace("\b", "").split("\n\n")
    assert " ".join(paragraph.split()) == COMMANDS[name]


def test_every_module_is_a_command() -> None:
    """None is missing in the table."""
    modules = {file.stem for file in Path(app.cli.__file__).parent.iterdir() if not file.name.startswith("__pycache__")}
    assert {name.replace("-", "_") for name in COMMANDS} == modules - OTHERS


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_fits_80_columns(name: str) -> None:
    """Its examples, which are to be copied, are not wrapped."""
    ran = CliRunner().invoke(program, [name, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert ran.exit_code == 0
    examples = [line.strip() for line in load(name).help.splitlines() if line.startswith("  ")]
    shown = {line.strip() for line in ran.output.splitlines()}
    assert {line.replace("\\[", "[") for line in examples if line} <= shown


def below(command: Any) -> Iterator[Any]:
    """This command, and all at or below it."""
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from below(inner)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_a_help_is_taken_for_markup(name: str) -> None:
    """`[door.tls]` in brackets would be: nothing of it is shown."""
    for command in below(load(name)):
        texts = [command.help or "", *(getattr(one, "help", None) or "" for one in command.params)]
        for text in (one.replace("\b", "") for one in texts):
            assert Text.from_markup(text).plain == text.replace("\\[", "["), (command.name, text)


def test_the_lines_of_a_help_are_those_of_the_terminal() -> None:
    """A line break of the docstring is none of the help."""
    ran = CliRunner().invoke(program, ["explain", "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    lines = [line.strip() for line in ran.output.splitlines()]
    assert "not authentic; 4 where it cannot be understood." in lines


def test_no_flag_seems_to_take_a_value() -> None:
    """Neither an option of a command or of the program, nor --help."""
    for path in ([], *([name] for name in COMMANDS), ["customers", "merge"], ["messages", "cancel"], ["login"]):
        ran = CliRunner().invoke(program, [*path, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
        assert ran.exit_code == 0 and "--help" in ran.output and "<bool>" not in ran.output, path


def test_a_usage_has_no_sign_twice() -> None:
    """The brackets and dots of an argument that may be left out or repeated are added to its name."""
    for name in COMMANDS:
        for command in below(load(name)):
            for one in command.params:
                assert not set(getattr(one, "metavar", None) or "") & set("[]{}…."), (name, command.name, one.name)


#: Commands that show something, by their last name, and those of one name that do.
SHOWING = {"list", "show", "doctor", "gaps", "topics", "settings", "providers", "events", "timeline"}


def showing(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The path of each command at or below this one that shows something."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from showing(inner, (*path, name))
    if path[-1] in SHOWING and (not hasattr(command, "commands") or path in (("gaps",), ("settings",))):
        yield path


@pytest.mark.parametrize("path", [one for name in COMMANDS for one in showing(load(name), (name,))], ids=" ".join)
def test_what_a_person_reads_a_program_can_read_too(path: tuple[str, ...]) -> None:
    """Each command that shows something has --json."""
    command = load(path[0])
    for name in path[1:]:
        command = command.commands[name]
    assert any("--json" in option.opts for option in command.params)


def commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command and group at or below this one, with its path."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


EVERY = [one for name in COMMANDS for one in commands(load(name), (name,))]
#: Options that have one name everywhere, with the words that other programs use for the same.
NAMES = {"--reason": {"--cause", "--why", "--because", "--comment"}, "--yes": {"--force", "--no-input"}}


@pytest.mark.parametrize("path", [path for path, _ in EVERY], ids=" ".join)
def test_help_fits_80_columns_by_either_name(path: tuple[str, ...]) -> None:
    """Of each command and group `-h` prints what `--help` does, no line wider than the terminal."""
    wide = {"COLUMNS": "80", "TERMINAL_WIDTH": "80"}
    short, long = (CliRunner().invoke(program, [*path, name], env=wide) for name in ("-h", "--help"))
    assert (short.exit_code, long.exit_code) == (0, 0) and short.output == long.output
    assert max(map(len, long.output.splitlines())) <= 80


@pytest.mark.parametrize(("path", "one"), EVERY, ids=lambda given: " ".join(given) if isinstance(given, tuple) else "")
def test_examples_of_a_help_are_indented(path: tuple[str, ...], one: Any) -> None:
    """By two columns more than the words about them, whether words follow or not."""
    ran = CliRunner().invoke(program, [*path, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    shown = {line.rstrip() for line in ran.output.splitlines()}
    written = [line.replace("\\[", "[") for line in (one.help or "").splitlines() if line.startswith("  ")]
    assert {f" {line}" for line in written} <= shown


@pytest.mark.parametrize("path", [path for path, _ in EVERY], ids=" ".join)
def test_wrong_arguments_end_with_2(path: tuple[str, ...]) -> None:
    """Of each command and group, in lines that fit the terminal, without a traceback."""
    ran = CliRunner().invoke(program, [*path, "--no-such-option"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert ran.exit_code == 2 and "No such option" in ran.stderr and isinstance(ran.exception, SystemExit)
    assert max(map(len, ran.stderr.splitlines())) <= 80


def test_the_targets_of_make_fit_80_columns() -> None:
    """Each is listed, and no line of `make help` is wider than the terminal."""
    root = Path(app.cli.__file__).parents[2]
    shown = subprocess.run(
        ["make", "-s", "help"], cwd=root, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert "  make install-dev  The same" in shown and max(map(len, shown.splitlines())) <= 80


def test_the_same_option_has_one_name() -> None:
    """What a person gives as the reason is `--reason` in each command that keeps one, and so on; what is not asked, `-y`."""
    options = {path: [name for each in one.params for name in each.opts] for path, one in EVERY}
    others = {name for names in NAMES.values() for name in names}
    assert not {path: found for path, names in options.items() if (found := others & set(names))}
    assert {" ".join(path) for path, names in options.items() if "--reason" in names} == {
        "customers merge", "customers split", "customers unlink", "customers undo", "customers erase", "customers hold",
        "erasure refuse", "dead-letters discard",
    }  # fmt: skip
    assert all(("--yes" in names) == ("-y" in names) for names in options.values())


def test_each_option_says_what_it_is_for() -> None:
    """None is without words in the help."""
    assert not [
        (path, each.name)
        for path, one in EVERY
        for each in one.params
        if not hasattr(one, "commands") and each.param_type_name == "option" and not each.help
    ]


def test_a_wrong_name_is_answered_with_the_one_that_is_meant() -> None:
    """And ends with 2."""
    ran = CliRunner().invoke(program, ["client"])
    assert ran.exit_code == 2 and "Did you mean 'clients'" in ran.stderr


@pytest.mark.parametrize("name", MEANT)
def test_a_name_of_other_programs_is_answered_with_ours(name: str) -> None:
    """With one that there is, and only where there is none of that name."""
    assert name not in COMMANDS and MEANT[name].split()[0] in COMMANDS
    ran = CliRunner().invoke(program, [name, "--json"])
    assert ran.exit_code == 2 and f"Did you mean '{MEANT[name]}'?" in " ".join(ran.output.split())


def test_the_list_of_commands_imports_none_of_them() -> None:
    """So that it is quick: neither the settings nor the adapters."""
    code = "import sys; from app.cli import main\ntry: main(['--help'])\nfinally: print(sorted(sys.modules), file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "Run the HTTP process" in ran.stdout
    assert not [name for name in ("app.settings", "adapters", "pydantic", "psycopg") if f"'{name}'" in ran.stderr]


@pytest.mark.parametrize("arguments", [["providers"], ["--help"], ["events", "--json"]])
def test_a_full_disk_is_told_in_words(arguments: list[str]) -> None:
    """Where the output goes to a file on it: no traceback, and no success."""
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    words = "threadline: No space left on device: the output is incomplete. What the command had done is done."
    assert ran.returncode == 1 and " ".join(ran.stderr.split()) == words
