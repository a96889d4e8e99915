"""CSV lists, from bytes to rows. Pure: the package uses no Redis, object store, settings or templates."""
