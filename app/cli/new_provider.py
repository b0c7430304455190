"""`threadline new-provider`: create the files of a new provider in a checkout, from the templates in app/provider_template."""

import builtins
import keyword
import os
import re
import shutil
import sys
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from app.cli.support.terminal import MISUSED, print_error
from app.simulator import samples

#: The comment in `adapters/__init__.py` above the providers of each channel.
GROUPS = {
    "sms": "# SMS, WhatsApp, voice",
    "whatsapp": "# SMS, WhatsApp, voice",
    "voice": "# SMS, WhatsApp, voice",
    "email": "# E-mail",
    "push": "# Push",
    "chat": "# Chat",
    "iot": "# Devices",
}
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
#: Names with a meaning in Python: a package of that name would hide it, or be hidden by it.
_OF_PYTHON = frozenset((*keyword.kwlist, *keyword.softkwlist, *dir(builtins))) | sys.stdlib_module_names
#: Characters that would end a string of Python, a cell of a table or a tag where the title is written.
_NOT_IN_TITLE = frozenset('"\\|<>`')
REGISTRY = "adapters/__init__.py"
#: The interpreter of `make install-dev`, by its path in the checkout.
PYTHON = ".venv/bin/python"
CHECKS = "tests/unit/adapters tests/unit/simulator tests/unit/cli/test_providers.py"


class NotCreated(Exception):
    """The provider cannot be created. The message says why."""


def new_provider(
    name: Annotated[str, typer.Argument(help="The provider's name in configuration, as acme_sms.")],
    title: Annotated[str | None, typer.Option(help="The name that people read; by default made from NAME.")] = None,
    channel: Annotated[str, typer.Option(help="sms, whatsapp, voice, email, push, chat or iot.")] = "sms",
) -> int:
    """Create the files of a new provider: adapter, page, simulator and fixture. Run it in a checkout."""
    return run(name, title=title, channel=channel)


def run(name: str, *, title: str | None, channel: str) -> int:
    """Create the files and print the next steps. Returns 0, or 2 if nothing was created."""
    try:
        root = checkout(Path.cwd())
        created = create(root, name, title or name.replace("_", " ").title(), channel)
    except NotCreated as error:
        return print_error(f"threadline new-provider: {error}", MISUSED)
    print("\n".join(f"created {path}" for path in created))
    print(f'added "{name}" to {REGISTRY}\n')
    print(f"Next: replace each TODO (grep -rn TODO adapters/{name} tests/fixtures/{name}), then")
    print(f"  {PYTHON} -m tests.fixtures.sign {name}    # signs the fixture and writes its events beside it")
    print(f"  {PYTHON} -m pytest -q {CHECKS} -k {name}    # the checks of every provider")
    print("  make check    # format, lint and types\n\nCONTRIBUTING.md explains each step.")
    return 0


def checkout(folder: Path) -> Path:
    """Return the root of the checkout that contains `folder`. Raises NotCreated if there is none."""
    for root in (folder, *folder.parents):
        if (root / REGISTRY).is_file() and (root / "tests/fixtures").is_dir() and template(root).is_dir():
            return root
    raise NotCreated(f"{folder} is not in a checkout of Threadline: clone its repository and run this inside it")


def template(root: Path) -> Path:
    """Return the folder of the templates."""
    return root / "app/provider_template"


def create(root: Path, name: str, title: str, channel: str) -> list[str]:
    """Write the files of a provider and add its name to the registry. Returns the paths of the files, relative to `root`.
    Raises NotCreated for a bad or taken name, a bad title, an unknown channel, or files that cannot be read or written; then
    nothing was written."""
    if not _NAME.fullmatch(name):
        raise NotCreated(f"{name!r} is not a valid name: 2 to 40 lower-case letters, digits and _, first a letter")
    if name in _OF_PYTHON:
        raise NotCreated(f"{name!r} is not a valid name: it is a word or a module of Python; try {name}_{channel}")
    if not title.strip() or len(title) > 80 or not title.isprintable() or not _NOT_IN_TITLE.isdisjoint(title):
        raise NotCreated(f'{title!r} is not a valid title: 1 to 80 characters on one line, without " \\ | < > `')
    if channel not in GROUPS:
        raise NotCreated(f"there is no channel {channel!r}; there are: {', '.join(GROUPS)}")
    taken = (root / "adapters" / name, root / "adapters" / f"{name}.py", root / "tests/fixtures" / name)
    if found := next((path for path in taken if path.exists()), None):
        raise NotCreated(f"the name {name!r} is taken: {found.relative_to(root)} exists")
    try:
        return _written(root, name, title, channel)
    except OSError as error:
        raise NotCreated(f"{error.filename or root}: {error.strerror or error}; nothing was created") from error
    except UnicodeDecodeError as error:
        raise NotCreated(f"a template or {REGISTRY} is not UTF-8: {error}") from error


def _written(root: Path, name: str, title: str, channel: str) -> list[str]:
    """Write the files and the registry, and return the files' paths. If one cannot be written, none is left."""
    registry = registered((root / REGISTRY).read_text("utf-8"), name, channel)
    slug = name.replace("_", "-")
    words = {
        "name": name,
        "title": title,
        "channel": channel,
        "slug": slug,
        "Slug": slug.title(),
        "address": samples.customer(channel),
    }
    texts = {
        f"{folder}/{name}/{file}": Template((template(root) / f"{file}.txt").read_text("utf-8")).substitute(words)
        for folder, files in (
            ("adapters", ("__init__.py", "README.md", "simulator.py")),
            ("tests/fixtures", ("settings.json", "delivered.http")),
        )
        for file in files
    }
    folders = [root / folder / name for folder in ("adapters", "tests/fixtures")]
    draft = root / f"{REGISTRY}.new"
    try:
        for folder in folders:
            folder.mkdir()
        for path, text in texts.items():
            if path.endswith(".http"):  # lines end as in HTTP, and the body has no line end
                text = text.rstrip("\n").replace("\n", "\r\n")
            (root / path).write_bytes(text.encode())
        draft.write_text(registry, "utf-8")
        os.replace(draft, root / REGISTRY)
    except BaseException:
        draft.unlink(missing_ok=True)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return list(texts)


def registered(text: str, name: str, channel: str) -> str:
    """Return the registry's source with the name at the end of its channel's group. Raises NotCreated if the group is
    missing."""
    lines = text.split("\n")
    try:
        at = lines.index(f"    {GROUPS[channel]}") + 1
    except ValueError:
        raise NotCreated(f"{REGISTRY} has no line `{GROUPS[channel]}`: add the name by hand") from None
    while lines[at].startswith('    "'):
        at += 1
    return "\n".join([*lines[:at], f'    "{name}",', *lines[at:]])
