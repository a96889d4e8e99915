"""The actors: ParseCsv, SendEmail, Reconcile. `dramatiq actors` starts them from the repository's root."""

from actors.parse_csv import parse_csv
from actors.reconcile import reconcile
from actors.send_email import send_email

__all__ = ["parse_csv", "reconcile", "send_email"]
