"""An OpenID provider on loopback, for tests: people log in by the code flow with PKCE, or by the device flow, without being asked.

Endpoints are strict where a real one is: the redirect and the code verifier must be those of the request, a code and a refresh token
count once, and a confidential client proves its secret.
"""

import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from urllib.parse import unquote_plus, urlencode

from aiohttp import web

from tests.support.issuer import RSA_KEY, Issuer

WEB, CLI, SECRET = "threadline-web", "threadline-cli", "a secret/with+signs"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


class Provider(Issuer):
    """A provider. `person`: the claims of who logs in; `id_claims`: claims that differ in ID tokens; `redirects`: where people may be sent
    back to (beside any port of 127.0.0.1 for the command line); `approved`: whether the device was."""

    def __init__(self) -> None:
        super().__init__()
        self.person: dict[str, Any] = {"sub": "ana", "sid": "s1", "roles": ["clerk"]}
        self.id_claims: dict[str, Any] = {}
        self.key: Any = RSA_KEY
        self.refuses: str | None = None
        self.states_iss = True
        self.redirects: set[str] = set()
        self.approved = True
        self.lifetime = 300
        #: How often its description was asked for.
        self.described = 0
        self.requests: list[dict[str, str]] = []
        self.revoked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._refreshes: set[str] = set()

    async def discovery(self, _: web.Request) -> web.Response:
        """Answer /.well-known/openid-configuration."""
        names = ("authorization", "token", "end_session", "device_authorization", "revocation")
        endpoints = {f"{name}_endpoint": f"{self.url}/{name}" for name in names}
        self.described += 1
        if self.status != 200:
            return web.Response(status=self.status)
        own = {"issuer": self.states or self.url, "jwks_uri": f"{self.url}/keys"}
        return web.json_response(own | endpoints | {"authorization_response_iss_parameter_supported": self.states_iss})

    async def authorization(self, request: web.Request) -> web.Response:
        """Send the browser back with a code, or with the error `refuses`."""
        given = dict(request.query)
        self.requests.append(given)
        allowed = self.redirects if given["client_id"] == WEB else {given["redirect_uri"]}
        loopback = given["redirect_uri"].startswith("http://127.0.0.1:")
        if given["redirect_uri"] not in allowed or (given["client_id"] == CLI and not loopback):
            return web.Response(status=400, text="redirect_uri")
        assert given["response_type"] == "code" and given["code_challenge_method"] == "S256"
        back = {"state": given["state"]} | ({"iss": self.url} if self.states_iss else {})
        if self.refuses is not None:
            back["error"] = self.refuses
        else:
            code = token_urlsafe(16)
            self._codes[code] = given
            back["code"] = code
        raise web.HTTPFound(f"{given['redirect_uri']}?{urlencode(back)}")

    async def token_answer(self, request: web.Request) -> web.Response:
        """Give tokens for a code, a refresh token, or an approved device."""
        form = dict(await request.post())
        if (client := self._client(request, form)) is None:
            return web.json_response({"error": "invalid_client"}, status=401)
        grant, nonce = form["grant_type"], None
        if grant == "authorization_code":
            asked = self._codes.pop(str(form["code"]), None)
            digest = sha256(str(form.get("code_verifier", "")).encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if asked is None or asked["client_id"] != client or asked["redirect_uri"] != form["redirect_uri"]:
                return web.json_response({"error": "invalid_grant"}, status=400)
            if asked["code_challenge"] != challenge:
                return web.json_response({"error": "invalid_grant", "error_description": "PKCE"}, status=400)
            nonce = asked.get("nonce")
        elif grant == "refresh_token":
            if form["refresh_token"] not in self._refreshes:
                return web.json_response({"error": "invalid_grant"}, status=400)
            self._refreshes.remove(str(form["refresh_token"]))
        elif not self.approved:
            return web.json_response({"error": "authorization_pending"}, status=400)
        refresh = token_urlsafe(16)
        self._refreshes.add(refresh)
        access = self.token(self.key, exp=int(time.time()) + self.lifetime, **self.person)
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": self.lifetime, "refresh_token": refresh}
        return web.json_response(answer | {"id_token": self.id_token(client, nonce)})

    def id_token(self, client: str, nonce: str | None) -> str:
        """Return an ID token for a client."""
        claims: dict[str, Any] = {"aud": client, "nonce": nonce, "iat": int(time.time()), "scope": None}
        given: dict[str, Any] = self.person | claims | self.id_claims
        return self.token(self.key, **given)

    def logout_token(self, **changed: Any) -> str:
        """Return a logout token of the person's session."""
        now, key = int(time.time()), changed.pop("key", self.key)
        claims: dict[str, Any] = {
            "aud": WEB,
            "iat": now,
            "exp": now + 120,
            "jti": token_urlsafe(8),
            "events": {LOGOUT: {}},
        }
        own = {name: self.person.get(name) for name in ("sub", "sid")}
        given: dict[str, Any] = own | claims | {"threadline_client": None, "scope": None} | changed
        return self.token(key, **given)

    async def device(self, request: web.Request) -> web.Response:
        """Begin a device flow."""
        assert (await request.post())["client_id"] == CLI
        codes = {"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": f"{self.url}/device"}
        return web.json_response(codes | {"expires_in": 60, "interval": 0})

    async def revocation(self, request: web.Request) -> web.Response:
        """Take back a refresh token."""
        token = str((await request.post())["token"])
        self._refreshes.discard(token)
        self.revoked.append(token)
        return web.json_response({})

    def _client(self, request: web.Request, form: dict[str, Any]) -> str | None:
        if header := request.headers.get("authorization"):
            id, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
            return WEB if (unquote_plus(id), unquote_plus(secret)) == (WEB, SECRET) else None
        return CLI if form.get("client_id") == CLI else None


@asynccontextmanager
async def providing() -> AsyncIterator[Provider]:
    """Yield a provider that is up."""
    made = Provider()
    served = web.Application()
    served.add_routes(
        [
            web.get("/.well-known/openid-configuration", made.discovery),
            web.get("/keys", made.jwks),
            web.get("/authorization", made.authorization),
            web.post("/token", made.token_answer),
            web.post("/device_authorization", made.device),
            web.post("/revocation", made.revocation),
        ]
    )
    runner = web.AppRunner(served)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
