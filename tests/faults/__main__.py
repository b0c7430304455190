"""`python -m tests.faults`, which `make faults` calls."""

import sys

from tests.faults.faults import main

sys.exit(main())
