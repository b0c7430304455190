"""How much processor time the tests of costly input allow."""

import sys

#: By how much more a test may take that is traced (`make coverage`), since tracing slows each line.
TRACED = 10 if sys.gettrace() is not None else 1
