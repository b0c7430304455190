"""The demo's webhooks are what providers would post: authentic to the adapters, and becoming what the story says."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from adapters import ADAPTERS, interpret
from adapters.contract import InvalidSignature, Request
from app.cli.demo.provider_posts import DOOR, RelayPosts, SendGrid, Twilio, WhatsApp
from app.cli.demo.story import EMAIL, PHONE, Story, story_of

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
URL = "https://hooks.example.com/webhooks/aggregate/twilio"
SECRETS = {
    "twilio": {"auth_token": ("secret",)},
    "whatsapp_cloud": {"app_secret": ("secret",)},
    "sendgrid": {"public_key": (PUBLIC,)},
    "envelope": {},
}


def a_story(*, mail: bool = True) -> Story:
    """One story."""
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return story_of(
        datetime.now(UTC),
        relay=RelayPosts("tl_x_y"),
        twilio=Twilio("twilio", "secret", URL),
        whatsapp=WhatsApp("whatsapp_cloud", "secret"),
        sendgrid=SendGrid("sendgrid", pem) if mail else None,
    )


def requests(story: Story) -> list[tuple[str, Request]]:
    """Its posts as the door reads them."""
    return [
        (post.source, Request("POST", URL, post.headers, post.body, datetime.now(UTC), post.source))
        for post in story.posts
    ]


def test_every_post_is_authentic_and_recognised() -> None:
    """Each signature holds (the envelope has a key instead), no other adapter claims it, and one changed byte breaks it."""
    for source, request in requests(a_story()):
        expected = None if source == "envelope" else True
        assert ADAPTERS[source].verify(request, SECRETS[source]) is expected
        assert [name for name, adapter in ADAPTERS.items() if adapter.recognise(request)] == [source]
        if expected:
            body = request.body.replace(b"a", b"b", 1)
            changed = Request("POST", URL, request.headers, body, request.received_at, source)
            with pytest.raises(InvalidSignature):
                ADAPTERS[source].verify(changed, SECRETS[source])


def test_events_are_those_that_the_story_waits_for() -> None:
    """Normalized, all posts together give each message the facts that are expected, and no message besides."""
    story = a_story()
    seen: dict[str, set[str]] = {}
    for source, request in requests(story):
        normalized = interpret(request, source)
        assert normalized.events and not normalized.unprocessable
        for event in normalized.events:
            assert event.provider_message_id
            seen.setdefault(event.provider_message_id, set()).add(event.type)
    assert seen == {id: types for messages in story.expected.values() for id, types in messages.items()}


def test_telling_it_again_makes_new_messages() -> None:
    """No id comes twice, so that a repeated demo adds to the timeline."""
    ids = [set().union(*story.expected.values()) for story in (a_story(), a_story())]
    assert not ids[0] & ids[1]


def test_story_uses_the_providers_that_there_are() -> None:
    """Without SendGrid's key there are no mails; the rest is there."""
    assert set(a_story().expected) == {PHONE, EMAIL}
    assert set(a_story(mail=False).expected) == {PHONE}


def test_posts_go_to_the_door_of_their_source() -> None:
    """A provider's to its own path, the envelope to the door itself."""
    assert {f"{DOOR}{post.path}" for post in a_story().posts} == {
        DOOR,
        *(f"{DOOR}/{source}" for source in ("twilio", "whatsapp_cloud", "sendgrid")),
    }


def test_a_text_that_is_not_in_yet_is_missing() -> None:
    """The statuses of a message may all be in before the service's report of its text: the timeline is not whole then."""
    story = a_story()
    for id, text in story.texts.items():
        handle = next(handle for handle, messages in story.expected.items() if id in messages)
        facts = dict.fromkeys(story.expected[handle][id], "2026-03-02T09:30:00Z")
        others = [
            {
                "providerMessageId": other,
                "facts": dict.fromkeys(types, "2026-03-02T09:30:00Z"),
                "content": {"text": story.texts.get(other)},
            }
            for other, types in story.expected[handle].items()
            if other != id
        ]
        whole = {"providerMessageId": id, "facts": facts, "content": {"subject": text}}
        assert story.missing(handle, [*others, whole]) == []
        assert story.missing(handle, [*others, {**whole, "content": {}}]) == [f"the text of {id}"]
    assert len(story.texts) == 6
