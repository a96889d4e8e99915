"""Stand-ins for the servers that Postrider talks to, for tests and benchmarks."""
