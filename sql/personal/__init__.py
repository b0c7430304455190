"""Encrypts personal data at rest, under a key of each handle.

`keys` derives the keys and encrypts values, `payloads` the marked properties of events, `opened` decrypts these, `masking` shows a value to a reader
who may not see it. The store is what calls them; they read and write nothing themselves.
"""

from sql.personal.keys import HandleKey, HandleKeys
from sql.personal.masking import mask_handle, mask_payload, mask_row
from sql.personal.opened import open_payload, open_value
from sql.personal.payloads import seal_payload, seal_value

__all__ = [
    "HandleKey",
    "HandleKeys",
    "mask_handle",
    "mask_payload",
    "mask_row",
    "open_payload",
    "open_value",
    "seal_payload",
    "seal_value",
]
