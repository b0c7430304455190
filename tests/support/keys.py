"""The key with which tests encrypt, and the variable that gives it to the processes they start: none starts without one."""

import base64
import json
from hashlib import sha256

from sql.sealing import Seal

#: The same in all processes of a test.
_KEY = sha256(b"the key of Threadline's tests").digest()
#: As in `secrets.keys`.
KEY = base64.b64encode(_KEY).decode()
SEAL = Seal([_KEY])
#: The variable that gives it to a process.
VARIABLE = {"THREADLINE_SECRETS__KEYS": json.dumps([KEY])}
