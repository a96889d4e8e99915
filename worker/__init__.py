"""The work of a worker process: the actors ParseCsv, SendEmail and Reconcile, and their parts.

`composition` builds all of it. Importing a module of this package creates nothing and reads no setting.
"""
