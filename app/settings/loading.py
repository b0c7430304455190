"""Loads the settings for a process or a command: with the providers of definition files in the registry, and with one error
for whatever is wrong."""

from app.declared import register
from app.settings import Settings
from app.settings.every import every_fault
from app.settings.wording import file_fault, worded
from schemas.faults import LISTED


class SettingsRefused(Exception):
    """The settings cannot be used. The message has a line for each fault up to 20, and no value of a setting."""

    def __init__(self, faults: list[str]) -> None:
        more = len(faults) - LISTED
        rest = [f"and {more} more; all of them: threadline settings check"] if more > 0 else []
        super().__init__("the settings do not fit:\n" + "\n".join(f"  {fault}" for fault in faults[:LISTED] + rest))
        self.faults = faults


def load() -> Settings:
    """Return the settings, and add the providers of definition files to the registry. Every process and command that reads
    settings begins with this. Raises SettingsRefused."""
    return register(read())


def read() -> Settings:
    """Return the settings, and leave the registry as it is. Raises SettingsRefused with all faults."""
    if fault := file_fault():
        raise SettingsRefused(every_fault()[0] or [fault])
    try:
        return Settings()
    except (ValueError, OSError) as error:
        if not (words := worded(error)):
            raise
        raise SettingsRefused(every_fault()[0] or words) from None
