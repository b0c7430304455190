"""Finds out whether an account can send, by building a message that is not sent."""

from collections.abc import Collection
from datetime import UTC, datetime

from adapters.contract import Adapter, Message, Unsendable, Values, WrongSetting
from app.simulator import samples
from schemas.handles import handle_of


def unable_to_send(
    adapter: Adapter, values: Values, *, channels: Collection[str] | None = None, sender: bool = True
) -> str:
    """Return why no message can be sent with these settings, by building one for each of the channels (by default all that
    the adapter sends by), which names its sender or not; an empty string if one can, or if the adapter only receives."""
    send, now = adapter.send, datetime.now(UTC)
    if send is None:
        return ""
    reasons = []
    for channel in sorted(send.channels if channels is None else channels):
        to, named = handle_of(samples.customer(channel), channel), samples.ours(channel) if sender else None
        try:
            if send.token is not None:
                send.token.build(values, now)
            known = {"access_token": ("…",), **values} if send.token is not None else values
            send.build_request(Message("trial", channel, to, named, text="…", subject="…"), known, now)
        except WrongSetting as error:
            reasons.append(str(error))
            continue
        except Unsendable:  # of this message alone
            pass
        return ""
    return reasons[0]
