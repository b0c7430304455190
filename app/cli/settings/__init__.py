"""`threadline settings`, `settings show`, `settings check`: what can be set, what is set, and what is wrong with it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli.settings.check import faults, reading
from app.cli.settings.reference import page, rows
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.terminal import FAILED, entry, print_lines, printable
from app.settings import settings_file
from app.settings.loading import load
from app.settings.shown import shown

settings = typer.Typer(
    name="settings",
    invoke_without_command=True,
    help="List the settings and what each is for; show what is set, and by what; check the file.",
)


@settings.callback()
def reference(
    context: typer.Context,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/settings.md.")] = False,
    as_json: AsJson = False,
) -> int:
    """Print the reference of the settings."""
    if context.invoked_subcommand is not None:
        return 0
    if markdown:
        sys.stdout.write(page())
        return 0
    if as_json:
        keys = ("name", "variable", "default", "reload", "description")
        return print_json([dict(zip(keys, (part.replace("`", "") for part in row), strict=True)) for row in rows()])
    for path, name, default, reload, words in rows():
        takes = "a change takes effect without a restart" if reload == "yes" else ""
        print(entry(f"{path}  {name}", f"default: {default.strip('`') or 'not set'}", words.replace("`", ""), takes))
    return 0


@settings.command()
def show(
    all_of_them: Annotated[bool, typer.Option("--all", help="Include those that have their default.")] = False,
    as_json: AsJson = False,
) -> int:
    """Show the settings of a process that is started now: what differs from the defaults, and where each comes from.

    A secret is shown as `set`.
    """
    found = list(shown(load(), every=all_of_them))
    if as_json:
        return print_json(found)
    for each in found:
        value = "not set" if each.value is None else each.value
        print_lines(f"{each.name} = {value}  ({each.origin})")
    if not found:
        print_lines(f"Every setting has its default: {settings_file()} and the environment set none.")
    return 0


@settings.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="The file; by default the one that is used.")] = None,
    as_json: AsJson = False,
) -> int:
    """Check the settings file, the environment and the definition files as the processes read them, and print every fault.

    Exit code 1 where there is one.
    """
    with reading(file):
        found = faults()
    if as_json:
        print_json(found)
    else:
        print_lines("\n".join(map(printable, found)) or "ok")
    return FAILED if found else 0
