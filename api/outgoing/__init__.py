"""Outgoing events: the changes of campaigns, sent to `EVENTS_URL` by the Standard Webhooks specification."""
