"""The key with which tests encrypt, and the variable that gives it to the processes they start: none starts without one."""

import base64
import json
import secrets

from sql.sealing import KEY_BYTES, Seal

_KEY = secrets.token_bytes(KEY_BYTES)
#: As in `secrets.keys`.
KEY = base64.b64encode(_KEY).decode()
SEAL = Seal([_KEY])
#: The variable that gives it to a process.
VARIABLE = {"THREADLINE_SECRETS__KEYS": json.dumps([KEY])}
