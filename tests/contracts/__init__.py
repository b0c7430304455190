"""Contracts between Threadline and its callers (https://docs.pact.io): what a consumer relies on, as JSON files beside this module,
each named `<consumer>-<provider>.json`.

`python -m tests.contracts` writes them anew from `consumers.py`.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent

os.environ["PACT_DO_NOT_TRACK"] = "true"  # pact's library would report its use to its makers
