"""What a worker process does: the actors ParseCsv, SendEmail and Reconcile, and what they are made of.

`composition` builds it all. Importing a module of this package makes nothing and reads no setting.
"""
