"""Encrypts personal data at rest, under a key of each handle.

`keys` derives the keys and encrypts values; `payloads` encrypts the marked properties of events; `opened` decrypts these; `masking` masks a
value for a reader who may not see it. The store calls these modules; they read and write nothing themselves.
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
