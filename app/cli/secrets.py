"""`threadline secrets create|wrap|list`: the keys that encrypt secrets and personal data at rest. API keys are
`threadline keys`."""

import base64
import secrets as random
from typing import Annotated, Any

import typer

from app import variables
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.terminal import FAILED, MISUSED, entry, print_error, print_note
from app.keys import KeysUnavailable, keys_of, unwrapped
from app.keys.sound import weakness
from app.keys.wrapping import wrapper_of
from app.settings import KEYS_FILE, Settings, settings_file
from app.settings.loading import load
from sql.sealing import KEY_BYTES, MAKE_ONE, Seal

secrets = typer.Typer(
    name="secrets",
    no_args_is_help=True,
    help="Make, wrap and list the keys that encrypt secrets and personal data in the database.",
)

ByTransit = Annotated[bool, typer.Option("--transit", help="Wrap it by OpenBao or Vault, as `secrets.transit` says.")]
ByKms = Annotated[bool, typer.Option("--kms", help="Wrap it by AWS KMS, as `secrets.kms` says.")]


@secrets.command()
def create(transit: ByTransit = False, kms: ByKms = False) -> int:
    """Create a key and print it: as it is, or wrapped. It is stored nowhere."""
    if transit and kms:
        return print_error("Choose one of --transit and --kms.", MISUSED)
    key = random.token_bytes(KEY_BYTES)
    if not transit and not kms:
        print_note(
            f'Key {_id(key)}. Put it in front of keys = ["…"] under [secrets], or of THREADLINE_SECRETS__KEYS, for both '
            "programs and the command line, and keep a copy apart from the database's backup: what it encrypted cannot be "
            "read without it. This is the key itself: keep it secret."
        )
        print(base64.b64encode(key).decode())
        return 0
    return _print_wrapped(key, "transit" if transit else "kms", load())


@secrets.command()
def wrap(
    transit: ByTransit = False,
    kms: ByKms = False,
    key: Annotated[
        str | None, typer.Option(help="The key's id, as `secrets list` shows it; by default the first.")
    ] = None,
) -> int:
    """Wrap a key that the settings have, so that it need not stand there readably, or moves to another service."""
    if transit == kms:
        return print_error("Choose one of --transit and --kms.", MISUSED)
    settings = load()
    keys = {_id(one): one for one in keys_of(settings)}
    if not keys:
        return print_error(MAKE_ONE)
    if key is not None and key not in keys:
        return print_error(f"There is no key {key}: threadline secrets list shows those that there are.", MISUSED)
    return _print_wrapped(keys[key or next(iter(keys))], "transit" if transit else "kms", settings)


@secrets.command("list")
def list_(as_json: AsJson = False) -> int:
    """List the keys of the settings by their ids, the one that encrypts first; never the keys themselves.

    Exit code 1 where one cannot be used.
    """
    rows = _rows(load())
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            does = "encrypts and decrypts" if row["encrypts"] else "decrypts"
            print(entry(row["id"] or "(not unwrapped)", f"{does}; {row['from']}", row["wrong"] or ""))
        if not rows:
            print_error(MAKE_ONE)
    return FAILED if not rows or any(row["wrong"] for row in rows) else 0


def _rows(settings: Settings) -> list[dict[str, Any]]:
    """Return id, place and fault of each key, in the order in which they are used."""
    rows: list[dict[str, Any]] = []
    for at, wrapped in enumerate(settings.secrets.wrapped):
        where = f"{wrapped.partition(':')[0]}, {_origin('wrapped', settings)}, item {at + 1}"
        try:
            key = unwrapped(wrapped, settings)
            rows.append({"id": _id(key), "from": where, "wrong": weakness(key)})
        except KeysUnavailable as error:
            rows.append({"id": None, "from": where, "wrong": str(error)})
    for at, given in enumerate(settings.secrets.keys):
        key = base64.b64decode(given.get_secret_value())
        where = f"{_origin('keys', settings)}, item {at + 1}"
        rows.append({"id": _id(key), "from": where, "wrong": weakness(key)})
    return [row | {"encrypts": at == 0} for at, row in enumerate(rows)]


def _origin(name: str, settings: Settings) -> str:
    """Return the variable or the file that a list of keys comes from."""
    return variables.origin(("secrets", name), settings_file()) or str(settings.data / KEYS_FILE)


def _print_wrapped(key: bytes, by: str, settings: Settings) -> int:
    wrapped = wrapper_of(by, settings).wrap(key)
    print_note(
        f'Key {_id(key)}, wrapped by {by}. Put it in front of wrapped = ["…"] under [secrets], or of '
        "THREADLINE_SECRETS__WRAPPED, for both programs and the command line. It can be read by that service alone: back the "
        "service up too."
    )
    print(wrapped)
    return 0


def _id(key: bytes) -> str:
    return Seal([key]).key_id
