"""The check of `threadline doctor` on the keys that encrypt secrets and personal data."""

from app.cli.doctor.finding import Finding
from app.keys import KeysUnavailable, keys_of
from app.keys.sound import weakness
from app.numbered import numbered
from app.settings import Settings
from sql.sealing import MAKE_ONE, Seal

WHAT = "Keys"


def examined(settings: Settings) -> tuple[Settings, list[Finding]]:
    """Unwrap the keys of the settings, and return what is to be said of them, and the settings for the other checks: without
    wrapped keys if these cannot be unwrapped."""
    try:
        keys = keys_of(settings)
    except KeysUnavailable as error:
        without = settings.secrets.model_copy(update={"wrapped": []})
        todo = "threadline secrets list shows which; neither serve nor work starts until they can be unwrapped"
        return settings.model_copy(update={"secrets": without}), [Finding(WHAT, "wrong", str(error), todo)]
    if not keys:
        return settings, [Finding(WHAT, "wrong", MAKE_ONE, "see docs/keys.md; without a key nothing starts")]
    found = []
    for key in keys:
        if wrong := weakness(key):
            todo = "threadline secrets create makes one; put it in front, then: threadline clients reseal"
            found.append(Finding(WHAT, "wrong", f"the key {Seal([key]).key_id} {wrong}", todo))
    return settings, found or [
        Finding(WHAT, "ok", f"the key {Seal(keys).key_id} encrypts, {numbered(len(keys), 'decrypts', 'decrypt')}")
    ]
