"""The ledger's Lua scripts, one command a file; `campaigns.scripts` loads them."""
