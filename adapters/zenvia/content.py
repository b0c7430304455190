"""Reads the contents of a Zenvia message, a list of parts, into one content.

https://zenvia.github.io/zenvia-openapi-spec/v2/#tag/Webhooks
"""

from typing import Any

from adapters.reading.facts import place_of, text
from adapters.reading.shapes import object_of


def content_of(contents: Any) -> dict[str, Any]:
    """Return the parts as one content: texts joined by line breaks, files as media; an unknown part is kept in
    `parts`."""
    content: dict[str, Any] = {}
    texts: list[str] = []
    media: list[dict[str, str]] = []
    parts: list[Any] = []
    for part in [one for one in (contents if isinstance(contents, list) else ())[:100] if isinstance(one, dict)]:
        kind, words = text(part.get("type")), text(part.get("text"))
        if kind == "text":
            if chosen := text(part.get("payload")):
                content["buttonReply"] = {"id": chosen[:1024]} | ({"title": words[:1024]} if words else {})
            texts += [words] if words else []
        elif kind == "file":
            names = (("url", "fileUrl", 8192), ("type", "fileMimeType", 255), ("name", "fileName", 1024))
            if file := {key: value[:most] for key, name, most in names if (value := text(part.get(name)))}:
                media.append(file)
            texts += [caption] if (caption := text(part.get("fileCaption"))) else []
        elif kind == "location" and (place := place_of(part)):
            content |= place
        elif kind == "email":
            content |= {key: value for key in ("subject", "html") if (value := text(part.get(key)))}
            texts += [words] if words else []
        elif kind == "contacts" and isinstance(part.get("contacts"), list):
            content["contacts"] = part["contacts"]
        else:
            parts.append(part)
    if texts:
        content["text"] = "\n".join(texts)
    return content | {key: value for key, value in (("media", media), ("parts", parts)) if value}


def client_of(mail: dict[str, Any]) -> dict[str, Any]:
    """Return who opened a mail or followed a link of it, from `channelData.email` of a status."""
    client = object_of(mail.get("clientInfo"))
    found: dict[str, Any] = {"machineOpen": True} if client.get("sgMachineOpen") is True else {}
    for key, name in (("userAgent", "userAgent"), ("ip", "sourceIp"), ("url", "url")):
        if words := text(client.get(name)):
            found[key] = words
    return found
