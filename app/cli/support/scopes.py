"""`threadline keys scopes`: the scopes, the roles, and what each route and command needs."""

from collections.abc import Iterator
from typing import Annotated

import typer

from app.cli.support.terminal import entry
from app.http.permits import COMMANDS, ROUTES, Need
from app.http.scopes import ROLES, SCOPES

#: When a route needs no credential, by `Need.open`.
_OPEN = {
    "always": "none",
    "metrics": "none where `api.metrics` is open",
    "description": "none where `api.description` is open, else any credential",
}


def scopes(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables of docs/access.md.")] = False,
) -> int:
    """List the scopes, the roles, and the scope that each route and command needs."""
    if markdown:
        print("\n".join(markdown_lines()))
        return 0
    for scope, words in SCOPES.items():
        print(entry(scope, words))
    for name, role in ROLES.items():
        print(f"\n{entry(f'{name}: {role.words}', ', '.join(sorted(role.scopes)))}")
    print()
    for route, need in ROUTES.items():
        print(f"{_words(need).replace('`', ''):<20} {route}")
    return 0


def markdown_lines() -> Iterator[str]:
    """Yield the lines of the tables, in Markdown."""
    yield from ("## Scopes", "", "| scope | what it allows |", "| --- | --- |")
    for scope, words in SCOPES.items():
        yield f"| `{scope}` | {words} |"
    yield from ("", "## Roles", "", "| role | who has it | scopes |", "| --- | --- | --- |")
    for name, role in ROLES.items():
        yield f"| `{name}` | {role.words} | {', '.join(f'`{scope}`' for scope in sorted(role.scopes))} |"
    yield from ("", "## Routes", "", "| route | scope |", "| --- | --- |")
    for route, need in ROUTES.items():
        yield f"| `{route.replace(':path}', '}')}` | {_words(need, '`')} |"
    yield from ("", "## Commands that call the API", "", "| command | scope |", "| --- | --- |")
    for command, routes in COMMANDS.items():
        needed = sorted({f"`{ROUTES[route].scope}`" for route in routes})
        yield f"| `threadline {command}` | {', '.join(needed)} |"


def _words(need: Need, quote: str = "") -> str:
    scope = " and ".join(f"{quote}{one}{quote}" for one in (need.scope, need.also) if one)
    return ", ".join(part for part in (scope, _OPEN.get(need.open, "")) if part)
