"""The commands, one file per subject. A command reads its options, calls the API and prints; it does no more."""
