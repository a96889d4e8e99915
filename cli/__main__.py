"""`python -m cli`: what `./postrider` in the repository starts."""

from __future__ import annotations

from cli.application import main

if __name__ == "__main__":
    main()
