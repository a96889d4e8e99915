"""How a list gets in: in parts, or in one request. The janitor removes what uploads leave behind."""
