"""The source that a provider is played to: its settings, and new ones to configure where it has none yet."""

import contextlib
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters import ADAPTERS
from adapters.simulating import Post, Said, Sent, Simulated
from app.cli.support.sources import WrongUse, given_of
from app.embedded import addresses, firstrun, running
from app.settings import Settings
from app.simulator import SIMULATED, samples
from webhooks.recognise import DOOR


@dataclass(frozen=True, slots=True)
class Target:
    """Whom is played, with which settings, where its webhooks go (`to`), and where it is told that they go (`told`)."""

    title: str
    simulated: Simulated
    settings: Mapping[str, str]
    to: str
    told: str


def target(provider: str, source: str | None, given: list[str], to: str | None) -> Target:
    """The target as it is configured, with the settings given beside. Raises WrongUse."""
    configured = Settings()
    name = source or provider
    account = configured.sources.get(name)
    adapter = (account.adapter if account is not None else None) or (name if source and name in ADAPTERS else provider)
    if (simulated := SIMULATED.get(adapter)) is None:
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
    if missing := _missing(simulated, adapter, settings):
        raise WrongUse(_told(name, adapter, missing, configured.data))
    told = (account.url if account is not None else None) or to
    return Target(ADAPTERS[adapter].TITLE, simulated, settings, to, told)


def _missing(simulated: Simulated, adapter: str, settings: dict[str, str]) -> dict[str, str]:
    """New values of the settings that the signature needs and the source lacks: those that it asks for as it signs."""
    known = {"private_key", *(setting.name for setting in ADAPTERS[adapter].SETTINGS)}
    made: dict[str, str] = {}
    while hasattr(simulated, "sign"):
        try:
            simulated.sign(sample(simulated), settings | made, datetime.now(UTC))
        except KeyError as missing:
            name = str(missing.args[0])
            if name in made or name not in known:
                raise
            made |= simulated.keys() if name == "private_key" and hasattr(simulated, "keys") else {name: _secret(name)}
        else:
            break
    # One that signs nothing needs no setting to post, and the door one to take it.
    if not settings and not made and "basic_auth" in known:
        made["basic_auth"] = _secret("basic_auth")
    return made


def sample(simulated: Simulated) -> Post:
    """Any webhook of the provider."""
    channel, now, url, id = simulated.CHANNELS[0], datetime.now(UTC), "http://localhost/", "0" * 32
    theirs = samples.customer(channel, getattr(simulated, "CUSTOMERS", None))
    ours = samples.ours(channel, getattr(simulated, "SENDERS", None))
    if simulated.STATES:
        return simulated.status(Sent(id, channel, theirs, ours), simulated.STATES[0], now, url)
    return simulated.inbound(Said(id, channel, theirs, ours, "-"), now, url)


def _secret(name: str) -> str:
    """A new value, of the form that the setting has."""
    if name == "basic_auth":
        return f"threadline:{secrets.token_hex(16)}"
    if name in ("webhook_header", "header"):
        return f"X-Threadline-Key: {secrets.token_hex(16)}"
    if name == "url_secret":
        return secrets.token_hex(16)
    # What Standard Webhooks wants is as good a secret anywhere else.
    return f"whsec_{b64encode(secrets.token_bytes(24)).decode()}"


def _told(name: str, adapter: str, made: dict[str, str], data: Path) -> str:
    """What to configure. A private key is put where the next call finds it."""
    if (private := made.get("private_key")) is not None:
        data.mkdir(parents=True, exist_ok=True)
        firstrun.write_secret(firstrun.secrets_folder(data) / f"{name}.pem", private)
    lines = [f"[sources.{name}]", *([f'adapter = "{adapter}"'] if name != adapter else [])]
    lines += [f"{key} = {_quoted(value)}" for key, value in made.items() if key != "private_key"]
    return (
        f"the source {name!r} is not configured with what {ADAPTERS[adapter].TITLE} signs by. Put this into "
        f"{data / 'threadline.toml'} (its secrets are new), start again what runs, and call this again:\n\n"
        + "\n".join(lines)
    )


def _quoted(value: str) -> str:
    return f"'''\n{value}'''" if "\n" in value else f'"{value}"'
