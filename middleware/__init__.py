"""Postrider's Dramatiq middleware: admission, dispatch, the upkeep of batches, log context, the event loop.
`worker.composition` puts them in order.
"""
