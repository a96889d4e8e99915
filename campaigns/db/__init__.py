"""How Postrider talks to its Redis: connections, checks of server and schema, scripts, errors. Knows no campaign."""
