"""An issuer of tokens on loopback, for tests: it publishes keys over HTTP, and signs."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app.settings.identity import Identity

RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
SHORT_KEY = rsa.generate_private_key(65537, 1024)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def rsa_jwk(key: rsa.RSAPrivateKey, kid: str, **more: Any) -> dict[str, Any]:
    """Return the public half as a JWK."""
    return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "alg": "RS256"} | more


class Issuer:
    """An issuer at a port of loopback: `keys` is what it publishes, `fetches` how often that was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: list[dict[str, Any]] = [
            rsa_jwk(RSA_KEY, "a"),
            ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True) | {"kid": "e", "use": "sig"},
        ]
        self.fetches = 0
        self.status = 200
        self.states: str | None = None

    async def discovery(self, _: web.Request) -> web.Response:
        """Answer /.well-known/openid-configuration."""
        return web.json_response({"issuer": self.states or self.url, "jwks_uri": f"{self.url}/keys"})

    async def jwks(self, _: web.Request) -> web.Response:
        """Answer with the keys."""
        self.fetches += 1
        return web.json_response({"keys": self.keys}, status=self.status)

    def token(self, key: Any = RSA_KEY, kid: str | None = "a", alg: str = "RS256", **changed: Any) -> str:
        """Return a token; `headers` are added to its header, a claim that is None is left out."""
        headers = {"kid": kid} if kid is not None else {}
        claims = {
            "iss": self.url,
            "aud": "threadline",
            "sub": "ana",
            "exp": int(time.time()) + 300,
            "threadline_client": "shop",
            "scope": "openid timeline:read",
        }
        headers |= changed.pop("headers", {})
        claims = {name: value for name, value in (claims | changed).items() if value is not None}
        return jwt.encode(claims, key, alg, headers=headers)

    def identity(self, **more: Any) -> Identity:
        """Return the settings that accept its tokens."""
        return Identity(issuer=self.url, audience=["threadline"], **more)


@asynccontextmanager
async def running() -> AsyncIterator[Issuer]:
    """Yield an issuer that is up."""
    made = Issuer()
    served = web.Application()
    served.add_routes([web.get("/.well-known/openid-configuration", made.discovery), web.get("/keys", made.jwks)])
    runner = web.AppRunner(served)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
