"""Gives the keys of the settings to the code that encrypts with them."""

import base64

from app.settings import Settings
from sql.sealing import Seal


def seal_of(settings: Settings) -> Seal:
    """Return a Seal with the keys of the settings (`secrets.keys`); without a key, its methods raise NoKey."""
    return Seal([base64.b64decode(key.get_secret_value()) for key in settings.secrets.keys])
