"""Makes the store of large bodies from the settings."""

from app.settings import Settings
from webhooks.blobs.folder import Folder


def blobs_of(settings: Settings) -> Folder:
    """Return the store. `start` it before use."""
    return Folder(settings.blobs_folder, settings.blobs.max_bytes)
