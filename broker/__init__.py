"""Dramatiq's Redis broker as a worker needs it. Middleware, actors and everything about campaigns belong elsewhere."""
