"""Postrider's Dramatiq middleware: admission, release, the upkeep of runs, log context, the event loop. `broker`
puts them in order.
"""
