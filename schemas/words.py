"""Describes a validation error for people: its path and what is expected there. Values of the document are never
repeated: they may be personal, and the text goes to logs and dead letters."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, relevance
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from schemas import MOST_FAULTS, Fault
from schemas.json_text import NAMES, kind_of
from schemas.times import instant

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMATS = FormatChecker(formats=())  # for this checker alone: the class attribute is shared in the process


def _is_date_time(text: object) -> bool:
    return not isinstance(text, str) or instant(text) is not None


_FORMATS.checkers["date-time"] = (_is_date_time, ValueError)


def _anything(*_: Any) -> Iterator[ValidationError]:
    """Accept all keys that a schema does not name, as all our schemas do (a test checks that). jsonschema would look
    each of them up in a list of all keys, which takes half a minute for 60,000 keys."""
    return iter(())


_Validator: Any = extend(Draft202012Validator, {"unevaluatedProperties": _anything})


class Words:
    """Describes the error in a value that is known to have one. `documents` are the schemas by `$id`."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        """Load the schemas once, so that many errors cost little."""
        # Without `$schema`, for which jsonschema would switch to its own class for the draft.
        plain = (
            (name, {k: part for k, part in schema.items() if k != "$schema"}) for name, schema in documents.items()
        )
        resources = ((name, DRAFT202012.create_resource(schema)) for name, schema in plain)
        self._registry: Registry[Any] = Registry().with_resources(resources).crawl()
        self._validators: dict[str, Any] = {}

    def faults(self, references: Sequence[str], value: Any) -> list[Fault]:
        """Return the path and the message of each error, one for each path and at most MOST_FAULTS, checking the schemas that the
        `$ref`s name in turn until one finds some. The most relevant comes first, the others in the order of the schema."""
        for reference in references:
            if (validator := self._validators.get(reference)) is None:
                validator = _Validator({"$ref": reference}, registry=self._registry, format_checker=_FORMATS)
                self._validators[reference] = validator
            if errors := list(islice(validator.iter_errors(value), MOST_FAULTS)):
                found: dict[str, str] = {}
                for error in (max(errors, key=relevance), *errors):
                    for path, message in islice(worded(error), MOST_FAULTS - len(found)):
                        found.setdefault(path, message)
                return list(found.items())
        return [("$", "does not fit its schema")]


def worded(error: ValidationError) -> Iterator[Fault]:
    """Yield the path and the message of one error; of keys that are missing or unknown, each."""
    if error.validator == "anyOf" and error.context:
        if not all(inner.validator == "required" for inner in error.context):
            yield from worded(max(error.context, key=relevance))
            return
        names = [name for inner in error.context for name in inner.validator_value]
        yield path_of(error.absolute_path), f"needs one of: {', '.join(names)}"
    elif error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield path_of([*error.absolute_path, name]), "is required"
    elif error.validator == "additionalProperties" and error.validator_value is False:
        known = error.schema.get("properties", {})
        for name in error.instance:
            if name not in known:
                yield path_of([*error.absolute_path, name]), f"is not known here; there are: {', '.join(known)}"
    else:
        words = _WORDS.get(str(error.validator))
        yield path_of(error.absolute_path), words(error) if words else f"breaks the rule {error.validator!r}"


def path_of(keys: Iterable[str | int]) -> str:
    """Return a JSONPath (RFC 9535): `$.content.media[0].url`."""
    path = "$"
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        elif _PLAIN.fullmatch(key):
            path += f".{key}"
        else:
            path += "['" + key.replace("\\", "\\\\").replace("'", "\\'") + "']"
    return path


def _type(error: ValidationError) -> str:
    wanted = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
    return f"must be {' or '.join(NAMES[name] for name in wanted)}, not {kind_of(error.instance)}"


_SHAPES = {
    "date-time": "must be a time with its offset (RFC 3339), such as 2025-11-21T03:42:00Z",
}
_WORDS: dict[str, Callable[[ValidationError], str]] = {
    "type": _type,
    "enum": lambda e: f"must be one of: {', '.join(map(str, e.validator_value))}",
    "format": lambda e: _SHAPES.get(e.validator_value, f"must be a {e.validator_value}"),
    "pattern": lambda e: f"must look like {e.validator_value}",
    "minLength": lambda e: (
        "must not be empty" if e.validator_value == 1 else f"has fewer than {e.validator_value} characters"
    ),
    "maxLength": lambda e: f"has more than {e.validator_value} characters",
    "minItems": lambda e: f"has fewer than {e.validator_value} items",
    "maxItems": lambda e: f"has more than {e.validator_value} items",
    "maxProperties": lambda e: f"has more than {e.validator_value} keys",
    "minimum": lambda e: f"must be at least {e.validator_value}",
    "maximum": lambda e: f"must be at most {e.validator_value}",
}
