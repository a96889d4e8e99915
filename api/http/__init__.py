"""The parts of a web server that do not depend on what it serves: access, slow clients, errors (RFC 9457), request log.

They know the form of a campaign's id, and nothing else about campaigns.
"""
