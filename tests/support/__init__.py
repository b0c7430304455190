"""What tests, fault runs and the benchmark share: a whole system, traffic, a load generator."""
