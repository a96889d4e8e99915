"""Logs what recorded events have done to campaigns. Knows no provider."""

from __future__ import annotations

import structlog

from campaigns.events import EventsRecorded

log = structlog.get_logger(__name__)


def log_effects(recorded: EventsRecorded) -> None:
    """Log events without a row, and the campaigns and accounts that were completed or braked."""
    for (kind, why), count in recorded.unattributed.items():
        log.info("events_unattributed", kind=kind, why=why, count=count)
    for campaign_id in recorded.completed:
        log.info("campaign_completed", campaign_id=campaign_id)
    for campaign_id, figures in recorded.braked.items():
        log.warning("campaign_braked", campaign_id=campaign_id, reason=figures)
    for figures in recorded.braked_accounts:
        log.warning("account_braked", reason=figures)
