"""Live status: the feeds, their Server-Sent Events, and the middleware that notifies the feeds of changes."""
