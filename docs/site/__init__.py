"""Builds the documentation's pages: `make docs`. The web process serves them at `/docs/`."""
