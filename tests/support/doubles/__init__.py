"""Stand-ins for what Postrider talks to, for tests and benchmarks. Each runs as a process of its own."""
