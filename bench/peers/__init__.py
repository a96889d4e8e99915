"""Postrider beside other ways to send emails from a queue in Redis: a Go worker pool, and BullMQ on Node.js."""
