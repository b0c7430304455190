"""Exports all that is kept of one customer: a ZIP with data for programs, a page for people, and what both are."""
