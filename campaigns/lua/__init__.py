"""The ledger's Lua scripts, one command a file; `campaigns.db.scripts` loads them."""
