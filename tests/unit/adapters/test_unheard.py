"""A word that a provider never sent before is kept with all that stands around it."""

import re
from pathlib import Path

from adapters import interpret
from adapters.contract import Unprocessable
from tests.unit.adapters.test_adapters import each_fixture, request_of

NEW = "zzunheard"


def replaced(body: bytes, word: str) -> bytes:
    """The body with the word in another, where it stands as a whole value of JSON or of a form; of a name with dots the
    last part, as providers add to them."""
    new = f"{word.rpartition('.')[0]}.{NEW}" if "." in word else NEW
    return re.sub(rb'(?<=["=])' + re.escape(word.encode()) + rb'(?=["&]|$)', new.encode(), body)


#: Where the word is all that says of what form the rest is (another kind of object, a chat's own event, a device's topic),
#: so that an id or an address in it would be a guess; and where one word is a product's, its subdivision being kept.
FORMS = frozenset(
    "zenvia postmark sendgrid mailersend postal pusher_beams slack telegram viber intercom freshchat instagram emqx "
    "the_things_stack".split()
)


@each_fixture
def test_an_unheard_status_says_whose_it_is(provider: str, file: Path) -> None:
    """With the word of a status replaced, what no table knows has the new word, and the id and address that the known one
    had: so it is counted under its name, and stands beside its message."""
    before = interpret(request_of(provider, file), provider).events
    words = {str(event.payload.get("providerStatus")) for event in before if event.type != "ProviderEventReceived"}
    for word in words - {"None", ""}:
        request = request_of(provider, file)
        request.body = replaced(request.body, word)
        if request.body == request_of(provider, file).body:
            continue
        try:
            after = interpret(request, provider).events
        except Unprocessable:
            continue
        if len(after) != len(before):
            continue
        for old, new in zip(before, after, strict=True):
            if new.type != "ProviderEventReceived" or old.type == new.type or old.payload.get("providerStatus") != word:
                continue
            if provider in FORMS or old.direction == "inbound":
                continue
            assert NEW in str(new.payload.get("providerStatus", "")).lower(), (word, new.payload)
            assert new.provider_message_id == old.provider_message_id, (word, new, old)
            assert new.handle == old.handle, (word, new.handle, old.handle)
