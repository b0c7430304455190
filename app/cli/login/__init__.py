"""`threadline login`: log in to the API by an issuer, as a person at this machine."""

import asyncio
import time
from typing import Annotated

import typer

from app.cli.login.device import by_device
from app.cli.login.loopback import by_browser
from app.cli.support import login_file
from app.cli.support.login_file import Login
from app.cli.support.terminal import MISUSED, print_error, print_note
from app.login.oauth import FAULTS, Refused
from app.settings.identity import is_safe
from app.settings.loading import load

#: Seconds in which a person must have logged in.
PATIENCE = 300.0


def login(
    issuer: Annotated[
        str | None, typer.Option(help="The issuer's URL; by default that of the settings whose cli_client_id is set.")
    ] = None,
    client_id: Annotated[
        str | None, typer.Option(help="The client id of the command line at the issuer; by default the settings'.")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="A scope to ask the issuer for; by default the settings'. Repeatable.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="THREADLINE_API_URL", help="The API's base URL; by default that of the system that runs here."
        ),
    ] = None,
    device: Annotated[
        bool, typer.Option("--device", help="Log in with a browser elsewhere: print a URL and a code to enter there.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the browser; otherwise its URL is only printed.")
    ] = True,
) -> int:
    """Log in to the API as a person, with a browser.

    Commands that call the API (send, messages) then use this log-in, and this API, until `threadline logout`, unless they are given a key.
    The token is kept in a file that only this user may read, and renewed while the issuer allows it.

    \b
      threadline login --issuer https://id.example.com --client-id threadline-cli
      threadline login --device --url https://threadline.example.com
    """
    issuer, client_id, scopes = _given(issuer, client_id, scope)
    if issuer is None or client_id is None:
        return print_error(
            "By which issuer? Give --issuer and --client-id, or set cli_client_id of one issuer in the settings.",
            MISUSED,
        )
    for name, each in (("--issuer", issuer), ("--url", url)):
        if each is not None and not is_safe(each):
            return print_error(f"{name} must be an https URL (http on loopback only): a token goes there.", MISUSED)
    begun = time.time()
    try:
        flow = by_device(issuer, client_id, scopes) if device else by_browser(issuer, client_id, scopes, open=browser)
        answer = asyncio.run(asyncio.wait_for(flow, PATIENCE))
        made = Login(issuer, client_id, url.rstrip("/") if url else None, "", None, 0).with_answer(answer, begun)
    except Refused as error:
        return print_error(str(error))
    except TimeoutError:
        return print_error(f"Nobody logged in, or {issuer} did not answer in time.")
    except FAULTS as error:
        return print_error(f"{issuer} cannot be used: {error}.")
    try:
        path = login_file.write(made)
    except OSError as error:
        return print_error(f"{login_file.file()} cannot be written: {error.strerror}.")
    return print_note(f"Logged in by {issuer}, to {made.url or 'the system that runs here'}. The token is in {path}.")


def _given(
    issuer: str | None, client_id: str | None, scopes: list[str] | None
) -> tuple[str | None, str | None, list[str]]:
    """Return what the options name, else the issuer of the settings that has a client id for the command line, if it is the only one."""
    if issuer is not None and client_id is not None:
        return issuer, client_id, scopes or []
    found = [one for one in load().all_issuers().values() if one.cli_client_id is not None]
    chosen = [one for one in found if issuer in (None, one.issuer)]
    if len(chosen) != 1:
        return issuer, client_id, scopes or []
    (one,) = chosen
    return one.issuer, client_id or one.cli_client_id, one.cli_scopes if scopes is None else scopes
