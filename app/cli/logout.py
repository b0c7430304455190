"""`threadline logout`: forget the log-in of this machine."""

import asyncio

from app.cli.support import login_file
from app.cli.support.login_file import Login, LoginUnusable
from app.cli.support.terminal import print_error, print_note
from app.http.discovery import description_of, endpoint, exchange
from app.login.oauth import FAULTS


def logout() -> int:
    """Forget what `threadline login` got, and ask the issuer to take it back.

    An access token that a copy was made of works until it expires.
    """
    try:
        login, unusable = login_file.read(), ""
    except LoginUnusable as error:
        login, unusable = None, str(error)
    try:
        login_file.forget()
    except OSError as error:
        return print_error(f"{login_file.file()} cannot be removed: {error.strerror}.")
    if login is None:
        return print_note("Logged out; the log-in could not be read." if unusable else "Nobody was logged in.")
    if login.refresh_token is not None:
        try:
            asyncio.run(_revoked(login, login.refresh_token))
        except FAULTS as error:
            return print_note(f"Logged out here. {login.issuer} did not take the refresh token back ({error}).")
    return print_note("Logged out.")


async def _revoked(login: Login, token: str) -> None:
    """Have the issuer revoke a refresh token (RFC 7009), where it can."""
    async with exchange() as http:
        description = await description_of(http, login.issuer)
        if "revocation_endpoint" in description:
            form = {"token": token, "token_type_hint": "refresh_token", "client_id": login.client_id}
            answer = await http.post(endpoint(description, "revocation_endpoint"), data=form)  # its body means nothing
            answer.raise_for_status()
