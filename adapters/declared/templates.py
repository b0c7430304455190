"""Checks the placeholders of a definition's templates, such as `{to}` or `{setting:NAME}`.

They are checked when the definition is read, so that no misspelt placeholder is ever sent to a provider.
"""

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any

#: Placeholders for parts of the message.
PARTS = ("to", "sender", "text", "subject", "html", "reference", "message_id", "callback_url", "channel")
#: Placeholders for parts of the signed request.
SIGNED = ("body", "timestamp", "id", "url", "method")
#: Prefix of a setting's placeholder.
SETTING = "setting:"
#: A name in braces. A name in double braces (`{{name}}`) is for the provider and stays.
_MARK = re.compile(r"(?<!\{)\{\s*([A-Za-z_][\w:.-]*)\s*\}(?!\})")
_ORIGIN = re.compile(r"[^/?#]*(?://[^/?#]*)?")


def unknown(template: Any, known: Collection[str], at: str) -> Iterator[str]:
    """Yield a line for each unknown placeholder, with its key."""
    if isinstance(template, dict):
        for key, inner in template.items():
            yield from unknown(inner, known, f"{at}.{key}")
    elif isinstance(template, list):
        for index, inner in enumerate(template):
            yield from unknown(inner, known, f"{at}.{index}")
    elif isinstance(template, str):
        for found in _MARK.finditer(template):
            if found[0] != f"{{{found[1]}}}" or found[1] not in known:
                near = get_close_matches(found[1], known, 1, 0.6)
                hint = f"did you mean {{{near[0]}}}? " if near else ""
                yield f"{at}: {found[0]} stands for nothing; {hint}There are: {', '.join(f'{{{one}}}' for one in known)}"


def parts_in_origin(url: str) -> list[str]:
    """Return the placeholders for message parts in a URL's scheme, host and port: a message could choose the called host."""
    origin = _ORIGIN.match(url)
    return [found[1] for found in _MARK.finditer(origin[0] if origin else url) if not found[1].startswith(SETTING)]


def settings_of(template: Any) -> frozenset[str]:
    """Return the names, `setting:NAME`, of the settings that a template needs."""
    if isinstance(template, dict):
        return settings_of(list(template.values()))
    if isinstance(template, list):
        return frozenset[str]().union(*(settings_of(each) for each in template))
    found = _MARK.finditer(template) if isinstance(template, str) else ()
    return frozenset(each[1] for each in found if each[1].startswith(SETTING))
