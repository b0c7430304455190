"""What `threadline login` got: kept in a file that nobody else may read, and renewed when it is about to expire."""

import asyncio
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import platformdirs

from app.http.discovery import description_of, exchange
from app.login.oauth import FAULTS, Refused, asked

#: Seconds before it expires at which a token is renewed.
EARLY = 60


class LoginUnusable(Exception):
    """There is a log-in, and it cannot be used. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Login:
    """A log-in: by which issuer and client of it, for the API at `url` (None: of the system that runs here), with which tokens.
    `expires_at`: of the access token, in seconds since 1970."""

    issuer: str
    client_id: str
    url: str | None
    access_token: str
    refresh_token: str | None
    expires_at: float

    def with_answer(self, answer: Mapping[str, Any], now: float) -> "Login":
        """Return the log-in with what a token endpoint answered. Raises ValueError if that is no token."""
        access, refresh, lasts = (answer.get(name) for name in ("access_token", "refresh_token", "expires_in"))
        if not isinstance(access, str) or not access or str(answer.get("token_type")).lower() != "bearer":
            raise ValueError("the answer has no bearer token")
        return replace(
            self,
            access_token=access,
            refresh_token=refresh if isinstance(refresh, str) else self.refresh_token,
            expires_at=now + (float(lasts) if isinstance(lasts, int | float) else 300.0),
        )


def file() -> Path:
    """Return the path of the file: `$XDG_CONFIG_HOME/threadline/login.json` on Linux."""
    return platformdirs.user_config_path("threadline") / "login.json"


def read() -> Login | None:
    """Return the log-in, None if there is none. Raises LoginUnusable."""
    path = file()
    try:
        with path.open("rb") as opened:
            if os.fstat(opened.fileno()).st_mode & 0o077:
                raise LoginUnusable(
                    f"Others may read {path}: run chmod 600 on it, or threadline logout and log in again."
                )
            return Login(**orjson.loads(opened.read()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise LoginUnusable(
            f"{path} cannot be read ({type(error).__name__}). Log in again: threadline login"
        ) from error


def write(login: Login) -> Path:
    """Keep a log-in, in one step, readable by its owner alone. Return the path. Raises OSError."""
    path = file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(orjson.dumps(asdict(login)))
        os.replace(scratch, path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    return path


def forget() -> None:
    """Remove the log-in. Raises OSError."""
    file().unlink(missing_ok=True)


def fresh(login: Login) -> Login:
    """Return the log-in with a token that is good for a while, renewed if need be: by one command at a time, as an issuer may take a
    refresh token that is used twice for stolen. Raises LoginUnusable."""
    if login.expires_at - EARLY > time.time():
        return login
    with _alone():
        now = read()  # another command may have renewed it meanwhile
        if now is None or now.issuer != login.issuer or now.url != login.url:
            raise LoginUnusable("The log-in was changed by another command. Try again.")
        if now.expires_at - EARLY > time.time():
            return now
        if now.refresh_token is None:
            raise LoginUnusable(
                "The log-in expired, and its issuer gave no refresh token. Log in again: threadline login"
            )
        try:
            renewed = now.with_answer(asyncio.run(_renewed(now, now.refresh_token)), time.time())
        except Refused as error:
            raise LoginUnusable(f"The log-in expired. {error} Log in again: threadline login") from error
        except FAULTS as error:
            raise LoginUnusable(
                f"The log-in must be renewed, and {now.issuer} cannot be asked: {error or 'it is too slow'}."
            ) from error
        with suppress(OSError):  # the token is good all the same
            write(renewed)
        return renewed


async def _renewed(login: Login, refresh_token: str) -> dict[str, Any]:
    async with exchange() as http:
        description = await description_of(http, login.issuer)
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await asked(http, description, "token_endpoint", form, login.client_id)


@contextmanager
def _alone() -> Iterator[None]:
    """Have the lock of the log-in's file."""
    with (file().parent / "login.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
