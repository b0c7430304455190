"""The marks of a definition's templates, `{to}` or `{setting:NAME}`: which there are, and which of a text are none of them.

Looked at as the definition is read: a provider must never be sent a mark that was misspelt.
"""

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any

#: What stands for a part of the message.
PARTS = ("to", "sender", "text", "subject", "html", "reference", "message_id", "callback_url", "channel")
#: What stands for a part of the request that is signed.
SIGNED = ("body", "timestamp", "id", "url", "method")
#: Begins the name of a setting.
SETTING = "setting:"
#: A word in braces. What is in two pairs of them (`{{name}}`) is the provider's own, and stays.
_MARK = re.compile(r"(?<!\{)\{\s*([A-Za-z_][\w:.-]*)\s*\}(?!\})")
_ORIGIN = re.compile(r"[^/?#]*(?://[^/?#]*)?")


def unknown(template: Any, known: Collection[str], at: str) -> Iterator[str]:
    """A line for each mark that is none of the known ones, with its key."""
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


def said_by_the_message(url: str) -> list[str]:
    """The marks of a message's part in a URL's scheme, host and port: who writes them would choose what is called."""
    origin = _ORIGIN.match(url)
    return [found[1] for found in _MARK.finditer(origin[0] if origin else url) if not found[1].startswith(SETTING)]


def settings_of(template: Any) -> frozenset[str]:
    """The names, `setting:NAME`, of the settings that a template needs."""
    if isinstance(template, dict):
        return settings_of(list(template.values()))
    if isinstance(template, list):
        return frozenset[str]().union(*(settings_of(each) for each in template))
    found = _MARK.finditer(template) if isinstance(template, str) else ()
    return frozenset(each[1] for each in found if each[1].startswith(SETTING))
