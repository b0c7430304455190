"""Simulates Freshchat: messages of a user and of an agent.

https://support.freshchat.com/en/support/solutions/articles/239404-freshchat-webhooks-payload-structure-and-authentication
"""

import base64
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

CUSTOMERS = {"chat": "freshchat:dbec0910-b4d6-4d81-8015-81f560a918de"}
AGENT = "fba1873d-67d6-4d63-be97-53b29ae1e42a"


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make the webhook of an agent's message (`message_create`)."""
    return _post(url, at, sent.id, "agent", AGENT, _user(sent.to), sent.text or "")


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the webhook of a user's message (`message_create`)."""
    return _post(url, at, incoming.id, "user", _user(incoming.sender), _user(incoming.sender), incoming.text)


def keys() -> dict[str, str]:
    """Make a key pair."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {"private_key": private, "public_key": public}


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the body with RSA and SHA-256, in base64."""
    signature = _key(settings["private_key"]).sign(post.body, padding.PKCS1v15(), hashes.SHA256())
    return replace(post, headers=post.headers | {"X-Freshchat-Signature": base64.b64encode(signature).decode()})


@lru_cache(maxsize=8)
def _key(pem: str) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the key must be an RSA key")
    return key


def _user(address: str) -> str:
    return address.removeprefix("freshchat:")


def _post(url: str, at: datetime, id: str, who: str, actor: str, user: str, text: str) -> Post:
    time = f"{at:%Y-%m-%dT%H:%M:%S}.000Z"
    message: dict[str, Any] = {
        "message_parts": [{"text": {"content": text}}],
        "app_id": "a1553a5a-9eed-48e8-9fc7-9106080f509d",
        "actor_id": actor,
        "id": id,
        "channel_id": "eaee3077-7e72-475d-bd5c-9eeed4262995",
        "conversation_id": "ac2175df14d36caf64e9a578fad89070",
        "interaction_id": "515435468500047-1628507537000",
        "message_type": "normal",
        "actor_type": who,
        "created_time": time,
        "user_id": user,
    }
    document = {
        "actor": {"actor_type": who, "actor_id": actor},
        "action": "message_create",
        "action_time": time,
        "data": {"message": message},
    }
    headers = {"content-type": "application/json", "x-freshchat-payload-version": "v1"}
    return Post(url, orjson.dumps(document), headers)


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("chat",),
        statuses=Statuses(states=("UserMessageSent",), build=status),
        inbound=inbound,
        sign=sign,
        keys=keys,
    ),
    customers=CUSTOMERS,
)
