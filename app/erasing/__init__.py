"""Erases customers: the steps in their order, what is kept outside the database, the receipt, and the search that checks it."""
