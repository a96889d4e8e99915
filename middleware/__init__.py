"""Postrider's Dramatiq middleware: admission, release, the upkeep of runs, log context, the event loop.
`worker.composition` puts them in order.
"""
