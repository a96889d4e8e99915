"""The providers, one file each, and which of them the settings ask for."""
