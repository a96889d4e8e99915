"""Live status: the feeds, their Server-Sent Events, and the middleware that tells them of changes."""
