"""`python -m tests.contracts` writes the contracts anew."""

from tests.contracts import FOLDER, consumers

for write in consumers.CONTRACTS:
    write(FOLDER)
