"""A key for processes that tests start: none starts without one."""

import json

from sql.sealing import new_key

KEY = new_key()
#: The variable that gives it to a process.
VARIABLE = {"THREADLINE_SECRETS__KEYS": json.dumps([KEY])}
