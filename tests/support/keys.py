"""The key with which tests encrypt, and the setting that gives it to the processes they start."""

import base64

from sql.sealing import KEY_BYTES, Seal

#: As in `secrets.keys`.
KEY = base64.b64encode(bytes(range(KEY_BYTES))).decode()
SEAL = Seal([bytes(range(KEY_BYTES))])
