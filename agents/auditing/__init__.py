"""The worker's part in the audit: sealing its entries, and anchoring what is sealed outside the database."""
