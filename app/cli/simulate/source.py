"""The source that a simulated provider posts to: its settings, or new ones to configure."""

import contextlib
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters import ADAPTERS
from adapters.simulating import Incoming, Post, Sent, Simulator, Webhooks
from app.cli.support.sources import WrongUse, given_of
from app.embedded import addresses, firstrun, running
from app.settings.loading import load
from app.simulator import SIMULATED, samples
from webhooks.recognise import DOOR


@dataclass(frozen=True, slots=True)
class Target:
    """The simulator with the source's settings, the URL that webhooks are posted to (`to`), and the URL that is configured
    at the provider (`public_url`)."""

    title: str
    simulator: Simulator
    settings: Mapping[str, str]
    to: str
    public_url: str


def target(provider: str, source: str | None, given: list[str], to: str | None) -> Target:
    """Return the target from the configuration and the settings given on the command line. Raises WrongUse."""
    configured = load()
    name = source or provider
    account = configured.sources.get(name)
    adapter = (account.adapter if account is not None else None) or (name if source and name in ADAPTERS else provider)
    if (simulator := SIMULATED.get(adapter)) is None:
        raise WrongUse(f"there is no simulated provider {adapter!r}; there are: {', '.join(sorted(SIMULATED))}")
    if to is None:
        with contextlib.suppress(running.NotRunning):
            configured = running.resolve(configured)
        to = f"{addresses.url(configured.door)}{DOOR}/{name}"
    elif "://" not in to:
        raise WrongUse(f"--to is a URL, as http://127.0.0.1:8080{DOOR}/{name}, not {to!r}")
    settings = {key: values[0] for key, values in account.values.items() if values} if account is not None else {}
    key = configured.data / "secrets" / f"{name}.pem"
    if key.exists():
        settings["private_key"] = key.read_text()
    settings |= dict(map(given_of, given))
    if missing := _missing(simulator, adapter, settings):
        raise WrongUse(_instructions(name, adapter, missing, configured.data))
    public_url = (account.url if account is not None else None) or to
    return Target(ADAPTERS[adapter].title, simulator, settings, to, public_url)


def _missing(simulator: Simulator, adapter: str, settings: dict[str, str]) -> dict[str, str]:
    """Return new values of the settings that signing reads and the source lacks."""
    known = {"private_key", *(setting.name for setting in ADAPTERS[adapter].settings)}
    made: dict[str, str] = {}
    webhooks = simulator.webhooks
    while webhooks is not None:
        try:
            webhooks.sign(sample(simulator, webhooks), settings | made, datetime.now(UTC))
        except KeyError as missing:
            name = str(missing.args[0])
            if name in made or name not in known:
                raise
            made |= webhooks.keys() if name == "private_key" and webhooks.keys is not None else {name: _secret(name)}
        else:
            break
    # Without a signature, signing reads no setting; the endpoint needs a credential all the same.
    if not settings and not made and "basic_auth" in known:
        made["basic_auth"] = _secret("basic_auth")
    return made


def sample(simulator: Simulator, webhooks: Webhooks) -> Post:
    """Return an unsigned webhook of the provider."""
    channel, now, url, id = webhooks.channels[0], datetime.now(UTC), "http://localhost/", "0" * 32
    theirs = samples.customer(channel, simulator.customers)
    ours = samples.ours(channel, simulator.senders)
    if webhooks.statuses is not None:
        return webhooks.statuses.build(Sent(id, channel, theirs, ours), webhooks.statuses.states[0], now, url)
    assert webhooks.inbound is not None
    return webhooks.inbound(Incoming(id, channel, theirs, ours, "-"), now, url)


def _secret(name: str) -> str:
    """Return a new value in the format of the setting."""
    if name == "basic_auth":
        return f"threadline:{secrets.token_hex(16)}"
    if name in ("webhook_header", "header"):
        return f"X-Threadline-Key: {secrets.token_hex(16)}"
    if name == "url_secret":
        return secrets.token_hex(16)
    # The format of Standard Webhooks; other providers accept it too.
    return f"whsec_{b64encode(secrets.token_bytes(24)).decode()}"


def _instructions(name: str, adapter: str, made: dict[str, str], data: Path) -> str:
    """Return what to configure. Writes a new private key to the file that the next call reads."""
    if (private := made.get("private_key")) is not None:
        data.mkdir(parents=True, exist_ok=True)
        firstrun.write_secret(firstrun.secrets_folder(data) / f"{name}.pem", private)
    lines = [f"[sources.{name}]", *([f'adapter = "{adapter}"'] if name != adapter else [])]
    lines += [f"{key} = {_quoted(value)}" for key, value in made.items() if key != "private_key"]
    return (
        f"the source {name!r} is not configured with what {ADAPTERS[adapter].title} signs by. Put this into "
        f"{data / 'threadline.toml'} (its secrets are new), start again what runs, and call this again:\n\n"
        + "\n".join(lines)
    )


def _quoted(value: str) -> str:
    return f"'''\n{value}'''" if "\n" in value else f'"{value}"'
