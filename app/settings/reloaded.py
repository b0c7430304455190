"""The settings that a running process takes over when the file changes, and what becomes of the others. Pure."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from app.settings import Settings

#: What is taken over without a restart: of these sections, these settings. Everything else is as it was at the start, because
#: servers, sockets, folders, or the limits of Kafka's topics and producers were made by it.
RELOADED: dict[str, tuple[str, ...]] = {
    "door": (
        "max_header_bytes",
        "max_headers",
        "header_timeout",
        "idle_timeout",
        "body_timeout",
        "body_grace",
        "body_rate",
        "trusted_proxies",
        "max_in_flight",
        "spool_max",
    ),
    "api": ("rate", "burst", "metrics", "description"),
    "sending": ("accepting",),
    "telemetry": ("log_level",),
    "callbacks": ("http_hosts",),
    "audit": ("reads", "queue"),
}
#: The sources, with their secrets, are taken over as a whole: `sources.NAME` is one setting here.
SOURCES = "sources"
#: The issuers, a table of tables.
ISSUERS = "issuers"


def is_reloaded(path: tuple[str, ...]) -> bool:
    """Return whether a change of the setting with this path in the file takes effect without a restart."""
    return path[0] == SOURCES or (len(path) == 2 and path[1] in RELOADED.get(path[0], ()))


def taken_over(in_force: Settings, read: Settings) -> Settings:
    """Return the settings in force after `read` was read: what is reloaded as read, everything else as it is."""
    sections = {
        name: getattr(in_force, name).model_copy(update={each: getattr(getattr(read, name), each) for each in names})
        for name, names in RELOADED.items()
    }
    taken = in_force.model_copy(update=sections | {SOURCES: read.sources})
    taken.declare(read.declared)
    return taken


def changed(before: Settings, after: Settings, *, reloaded: bool) -> list[str]:
    """Return the names of the settings that differ: of those that are reloaded, or of those that need a restart."""
    old, new = flat(before), flat(after)
    return sorted(
        ".".join(path)
        for path in old.keys() | new.keys()
        if is_reloaded(path) is reloaded and old.get(path) != new.get(path)
    )


def flat(settings: Settings) -> dict[tuple[str, ...], Any]:
    """Return the value of each setting by its path in the file; a source is one value."""
    return dict(_flat(settings, ()))


def _flat(section: BaseModel, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, field in type(section).model_fields.items():
        value, path = getattr(section, name), (*above, field.alias or name)
        if isinstance(value, BaseModel):
            yield from _flat(value, path)
        elif path == (SOURCES,):
            yield from (((SOURCES, source), each) for source, each in value.items())
        elif path == (ISSUERS,):
            for issuer, each in value.items():
                yield from _flat(each, (ISSUERS, issuer))
        else:
            yield path, value
