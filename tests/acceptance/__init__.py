"""What `make acceptance` runs: Threadline as it is deployed, with parts that a test run has not got."""
