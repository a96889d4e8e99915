"""CSV lists, from bytes to rows: pure, without Redis, object store, settings or templates."""
