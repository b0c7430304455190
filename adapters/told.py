"""`adapters.told_header`, for adapters whose page calls the setting `header`."""

from adapters.base import Setting
from adapters.told_header import verify_told
from adapters.unsigned import SETTINGS as _UNSIGNED

__all__ = ["SETTINGS", "verify_told"]

SETTINGS = (
    *_UNSIGNED,
    Setting("header", "A header that the provider is told to send along, as `X-Hook-Secret: value`."),
)
