"""Consent: signed unsubscribe links, the suppression list, and the check of a sender's DNS records.

The package knows no HTTP and no campaign. Redis scripts, the object store and the DNS resolver come by constructor.
"""
