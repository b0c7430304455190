"""The words by which recipients opt out and in, and how a message is compared with them. Pure."""

import re
import string
import unicodedata
from typing import Any

OUT, IN = "RecipientUnsubscribed", "RecipientSubscribed"

# CTIA, Messaging Principles and Best Practices (May 2023), section 5.1.3; the text is also at this address.
_CTIA = "https://signalmash.com/2023/12/28/ctia-messaging-principles-best-practices-handbook"
# 47 CFR 64.1200(a)(10), as the FCC made it known.
_FCC = "https://www.govinfo.gov/content/pkg/FR-2024-03-05/html/2024-04587.htm"
_TWILIO = "https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out"
_TWILIO_CANADA = "https://support.twilio.com/hc/en-us/articles/223181928"
_TELNYX = "https://developers.telnyx.com/docs/messaging/messages/advanced-opt-in-out"
_AMAZON = "https://docs.aws.amazon.com/sms-voice/latest/userguide/keywords-required.html"
_SINCH = "https://community.sinch.com/t5/Conversation-API/Can-I-customize-opt-in-and-opt-out-keywords-for-use-with-consent/ta-p/18980"
_BIRD = (
    "https://docs.bird.com/applications/channels/channels/supported-channels/sms/concepts/opt-in-and-opt-out-compliance"
)
_SINCH_BRAZIL = (
    "https://docs-pt.sinch.com/documentacao-tecnica-whatsapp/documentacao-tecnica-whatsapp/desativacao-do-whatsapp"
)
_INTERCOM_PERSPECTIVE = "https://intercom.help/perspective-funnels/en/articles/10757179"
_MMA_SPANISH = "https://inteligentes.online/Tel%C3%A9fonos-celulares-y-accesorios/M%C3%B3viles/%C2%BFC%C3%B3mo-darse-de-baja-de-SMS-.html"
_VONAGE = "https://developer.vonage.com/en/opt-out-assist/guides/key-word-setup"
_ENABLEX = "https://developer.enablex.io/docs/quickstart/sms/international-sms-regulations/country/norway/"

#: The reason of words that no page lists: as a whole message they are the dictionary's word for "stop" or "unsubscribe".
DICTIONARY = "dictionary"

#: The words by which a recipient opts out, each with a page that lists it, or `DICTIONARY`. Amazon's TD is left out: it is so short that
#: it may mean something else.
OPT_OUTS: dict[str, str] = {
    "stop": _CTIA,
    "end": _CTIA,
    "unsubscribe": _CTIA,
    "cancel": _CTIA,
    "quit": _CTIA,
    "revoke": _FCC,
    "opt out": _FCC,
    "optout": _TWILIO,
    "stopall": _TWILIO,
    "stop all": _TELNYX,
    "opt-out": _AMAZON,
    "remove": _AMAZON,
    "unsub": _TWILIO_CANADA,
    "arret": _TWILIO_CANADA,
    "arrêt": _TWILIO_CANADA,  # the same, as it is spelled
    "detener": _SINCH,
    "salir": _SINCH,
    "parar": _SINCH,
    "cancelar": _SINCH,
    "sair": _SINCH_BRAZIL,
    "stopp": _ENABLEX,
    "halt": _BIRD,
    "ferma": _BIRD,
    "остановить": _BIRD,
    "zatrzymaj": _BIRD,
    "stop promotions": _INTERCOM_PERSPECTIVE,  # the text of Meta's marketing opt-out button
    "baja": _MMA_SPANISH,
    **dict.fromkeys(
        (
            "pare", "descadastrar",  # Portuguese
            "arrêter", "arreter",  # French
            "stoppen", "abmelden",  # German
            "afmelden", "uitschrijven",  # Dutch
            "стоп", "отписаться",  # Russian
            "退订", "退訂", "停止",  # Chinese; the last one is Japanese as well
            "수신거부",  # Korean
            "توقف",  # Arabic
            "הסר",  # Hebrew
            "iptal",  # Turkish
        ),
        DICTIONARY,
    ),
}  # fmt: skip
#: The words by which one opts in again. Twilio takes YES as well, but not for toll-free numbers, and Telnyx does not; it
#: answers many a question, and must not undo an opt-out.
OPT_INS: dict[str, str] = {
    "start": _TELNYX,
    "unstop": _TELNYX,
    "join": _VONAGE,
    **dict.fromkeys(("nonarret", "begin", "resume", "revert"), _BIRD),
    **dict.fromkeys(("#start", "#volver", "#recibir", "#voltar", "#receber"), _SINCH_BRAZIL),
}


#: Longest text that is read, in characters. Of a longer text, only the part before its first blank line or its
#: signature is read.
_MOST = 1000
#: Characters of a button's id or value that are read.
_MOST_ID = 100
#: How the line begins that a phone or a mail program puts under a message, in lower case.
_SIGNATURES = (
    "--", "\u2014", "sent from", "sent with", "sent via", "get outlook", "enviado", "envoyé", "gesendet", "von meinem",
    "inviato", "verzonden", "отправлено",
)  # fmt: skip
#: Removed wherever they stand: variation selectors of emoji, and the dot that lower case leaves of a Turkish İ.
_MARKS = frozenset(chr(code) for code in range(0xFE00, 0xFE10)) | {"\u0307"}
_MINUS = "\u2212"
#: The opt-outs that mean nothing else when a program uses them as the id of a button: CANCEL may cancel an order.
_BUTTON_IDS = frozenset({"stop", "stopall", "stop all", "stop promotions", "unsubscribe", "unsub", "opt out", "optout"})


def meaning(text: str) -> str | None:
    """Return the consent event type that a whole message means, or None.

    Case, width, accents' encoding, invisible characters, white space, and punctuation and symbols around the word do not
    matter. For an opt-out, a question mark and the text after a blank line do not matter either. An opt-in counts only
    without a question mark, and with no more text than a signature after it. So an opt-out is never missed, and an
    opt-in never guessed.
    """
    start = text.lstrip()
    body, rest = _parted(_visible(start[:_MOST]))
    if len(start) > _MOST and rest is None:
        return None
    line = " ".join(body)
    word = _trimmed(line)
    if word.strip("# ") in _OUTS:
        return OUT
    return IN if word in _INS and "?" not in line and (not rest or rest[0].startswith(_SIGNATURES)) else None


def meaning_of_button(reply: dict[str, Any]) -> str | None:
    """Return the opt-out that a pressed button means (`content.buttonReply`), or None. Its title counts as written text, its
    id and value only if they are unmistakable."""
    title = reply.get("title")
    if isinstance(title, str) and (type := meaning(title)):
        return type
    ids = (reply.get(key) for key in ("id", "value"))
    return OUT if any(isinstance(id, str) and _trimmed(_visible(id[:_MOST_ID])) in _BUTTON_IDS for id in ids) else None


def _visible(text: str) -> str:
    """Return the text in its compatibility form (NFKC), without case and without invisible characters."""
    if text.isascii():
        return text.casefold()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(c for c in folded if c not in _MARKS and unicodedata.category(c) != "Cf")


def _parted(text: str) -> tuple[list[str], list[str] | None]:
    """Return the lines of a message before its first blank line or signature, and the lines from there on that are not
    blank (None if there is neither)."""
    lines = [line.strip() for line in text.strip().splitlines()]
    for place, line in enumerate(lines):
        if not line or (place and line.startswith(_SIGNATURES)):
            return lines[:place], [one for one in lines[place:] if one]
    return lines, None


def _trimmed(line: str) -> str:
    """Return a line with hyphens as spaces, one space between words, and no punctuation or symbols around it but `#`."""
    if len(line) > _MOST:
        return ""
    if line.isascii():  # the usual case
        return _SPACES.sub(" ", line.replace("-", " ").strip(_ASCII_MARKS))
    spaced = "".join(" " if c == _MINUS or unicodedata.category(c) in ("Pd", "Cc") else c for c in line)
    start, end = 0, len(spaced)
    while start < end and _is_mark(spaced[start]):
        start += 1
    while start < end and _is_mark(spaced[end - 1]):
        end -= 1
    return _SPACES.sub(" ", spaced[start:end])


def _is_mark(character: str) -> bool:
    return character != "#" and unicodedata.category(character)[0] in "PSZ"


_SPACES = re.compile(r"[\s\x00-\x1f\x7f]+")
_ASCII_MARKS = string.punctuation.replace("#", "") + string.whitespace + "\x00"
_OUTS = frozenset(_trimmed(_visible(word)) for word in OPT_OUTS)
_INS = frozenset(_trimmed(_visible(word)) for word in OPT_INS)
