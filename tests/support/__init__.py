"""Shared by tests, fault runs and the benchmark: a whole system, traffic, a load generator."""
