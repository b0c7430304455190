"""Sends messages as a definition describes, to any provider that takes one HTTP request per message."""

from datetime import datetime
from urllib.parse import quote, urlencode

import orjson

from adapters.contract import (
    HttpCall,
    Message,
    Outcome,
    Response,
    Send,
    Values,
    WrongSetting,
    accepted,
    refused,
    secrets_of,
)
from adapters.declared.definition import Send as Definition
from adapters.declared.places import filled, walk
from adapters.declared.templates import SETTING, settings_of
from adapters.reading.facts import text
from adapters.reading.lines import header_value
from adapters.reading.shapes import json_answer_of
from schemas.events import Error


class DeclaredSending:
    """Builds requests and reads responses as a definition's `[send]` describes."""

    def __init__(self, definition: Definition) -> None:
        self._send = definition
        self._named = settings_of([definition.url, definition.headers, definition.body])

    def capability(self, channels: frozenset[str]) -> Send:
        """Return the capability for an adapter that sends by these channels."""
        return Send(
            channels=channels,
            build_request=self.build_request,
            read_response=self.read_response,
            idempotent_for=self._send.idempotent_for,
        )

    def build_request(self, message: Message, values: Values, now: datetime) -> HttpCall:
        """Fill the definition's templates. Raise Unsendable."""
        send = self._send
        # The names are those of `templates.PARTS`.
        parts: dict[str, str | None] = {
            "to": message.to.value,
            "sender": message.sender or next(iter(secrets_of(values, "sender")), None),
            "text": message.text,
            "subject": message.subject,
            "html": message.html,
            "reference": message.echo,
            "message_id": message.message_id,
            "callback_url": message.callback_url,
            "channel": message.channel,
            **{f"setting:{name}": each[0] for name in values if (each := secrets_of(values, name))},
        }
        quoted = {name: quote(value, safe="") if value else value for name, value in parts.items()}
        # A setting is trusted and may be a whole URL; parts of the message are quoted.
        url = filled(send.url, quoted | {name: value for name, value in parts.items() if name.startswith("setting:")})
        headers = {name.lower(): filled(value, parts) or "" for name, value in send.headers.items()}
        if missing := sorted(name for name in self._named if name not in parts):
            raise WrongSetting(
                f"the source has no {missing[0].removeprefix(SETTING)}, which the definition's [send] names"
            )
        for name, value in headers.items():
            header_value(name, value)
        body = b""
        if send.format == "json":
            headers.setdefault("content-type", "application/json")
            body = orjson.dumps(filled(send.body, parts))
        elif send.format == "form":
            headers.setdefault("content-type", "application/x-www-form-urlencoded")
            body = urlencode(filled(send.body, parts)).encode()
        return HttpCall(send.method, url, headers, body)

    def read_response(self, response: Response) -> Outcome:
        """Read 2xx as accepted, with the id and the error at the paths that the definition names."""
        body, send = json_answer_of(response), self._send

        def at(path: str | None) -> str | None:
            return None if path is None else text(walk(body, tuple(path.split("."))))

        if 200 <= response.status < 300:
            return accepted(at(send.id))
        code, words = at(send.error_code), at(send.error_text)
        reason = "rate" if response.status == 429 else "unknown"
        return refused(response, Error(code or str(response.status), words, reason))
