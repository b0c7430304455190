"""What tests of a simulated provider and its adapter have in common: an account, a message, and what passes between them."""

from datetime import UTC, datetime

from adapters import ADAPTERS
from adapters.contract import HttpCall, Media, Message, Outgoing, Publish, Response, Send
from adapters.simulating import Call, Post, Reply, Sent, Settings
from app.simulator import SIMULATED, samples, webhooks_of
from schemas.handles import handle_of
from tests.fixtures import accounts

AT = datetime(2026, 3, 2, 9, 29, 30, tzinfo=UTC)
URL = "https://hooks.example.com/webhooks/aggregate"
ID = "0123456789abcdef0123456789abcdef"


def theirs(provider: str, channel: str) -> str:
    return samples.customer(channel, SIMULATED[provider].customers)


def ours(provider: str, channel: str) -> str:
    return samples.ours(channel, SIMULATED[provider].senders)


def status_post(provider: str, sent: Sent, state: str) -> Post:
    """Return the webhook that reports a state of the message, unsigned."""
    statuses = webhooks_of(provider).statuses
    assert statuses is not None
    return statuses.build(sent, state, AT, URL)


def settings_of(provider: str) -> Settings:
    account = accounts(provider)
    return account.settings | {"private_key": account.private_key}


def message(provider: str, channel: str) -> Message:
    """Return a message that any provider of the channel can send: text, and for mail a subject and HTML."""
    mail = channel == "email"
    return Message(
        message_id="m-0123456789",
        channel=channel,
        to=handle_of(theirs(provider, channel), channel),
        sender=ours(provider, channel),
        text="Hello <&> €!",
        subject="Your order — shipped" if mail or channel == "push" else None,
        html="<p>Hello &lt;&amp;&gt; €!</p>" if mail else None,
        media=(Media("https://example.com/a.mp3", "audio/mpeg"),) if channel == "voice" else (),
        reference="order-1",
        callback_url=f"{URL}/{provider}",
    )


def called(call: Outgoing) -> Call:
    if isinstance(call, Publish):
        return Call("PUBLISH", call.topic, call.properties, call.payload)
    assert isinstance(call, HttpCall)
    path = "/" + call.url.partition("://")[2].partition("/")[2]
    assert all(name == name.lower() for name in call.headers)
    return Call(call.method, path, call.headers, call.body)


def response(reply: Reply) -> Response:
    return Response(reply.status, reply.headers, reply.body)


def sending_of(provider: str) -> Send:
    """Return the `Send` of the provider's adapter."""
    send = ADAPTERS[provider].send
    assert send is not None
    return send
