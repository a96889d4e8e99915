"""An operator's commands for a campaign: start, pause, resume, cancel, change the rate.

The table `STEPS` holds the states and the steps between them. `docs/state-machine.md` draws it, and a test compares the
two.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from redis import Redis

from campaigns import actor, keys, messages
from campaigns.db.scripts import Scripts
from campaigns.db.typed_redis import typed
from campaigns.errors import BrakeHolds, MissingColumns, NotAccepted, UnknownCampaign, WrongState
from campaigns.models import Status


class Step(NamedTuple):
    """A step: its target state, the states that it may start from, and the states in which it changes nothing."""

    target: Status
    comes_from: tuple[Status, ...]
    is_there: tuple[Status, ...]
    advice: str


STEPS: Final = {
    "start": Step(
        Status.RUNNING,
        (Status.READY, Status.PARSING),
        (Status.RUNNING, Status.SCHEDULED, Status.COMPLETED),
        "the campaign cannot be started: it needs a parsed list, and a paused campaign must be resumed instead",
    ),
    "pause": Step(
        Status.PAUSED,
        (Status.RUNNING, Status.SCHEDULED),
        (Status.PAUSED,),
        "only a running or scheduled campaign can be paused",
    ),
    "resume": Step(
        Status.RUNNING, (Status.PAUSED,), (Status.RUNNING, Status.SCHEDULED), "only a paused campaign can be resumed"
    ),
    "cancel": Step(
        Status.CANCELLED,
        (
            Status.DRAFT,
            Status.PARSING,
            Status.READY,
            Status.SCHEDULED,
            Status.RUNNING,
            Status.PAUSED,
            Status.REJECTED,
        ),
        (Status.CANCELLED,),
        "the campaign has already ended",
    ),
}


class Controls:
    """Takes steps, each one atomic in Redis and idempotent."""

    def __init__(self, redis: Redis) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)

    def start(self, campaign_id: str, *, accept_warnings: bool = False) -> Status:
        """Start sending now, or as soon as the list is parsed.

        Args:
            campaign_id: the campaign.
            accept_warnings: a person accepts all warnings about the content and the list.

        Raises:
            NotAccepted: some warnings must be accepted first.
            UnknownCampaign: no campaign has this id.
            MissingColumns: the list lacks columns that the templates or `where` name.
            WrongState: the state does not allow a start, or the list has no valid recipient.
        """
        status, _ = self._take("start", campaign_id, accepts=accept_warnings)
        return status

    def pause(self, campaign_id: str) -> int:
        """Pause: no row is admitted after this returns. Returns the number of rows still in flight."""
        return self._take("pause", campaign_id)[1]

    def resume(self, campaign_id: str, *, accept_brake: bool = False) -> Status:
        """Resume sending where the pause stopped it.

        Args:
            campaign_id: the campaign.
            accept_brake: a person accepts the bounces or complaints for which the brake has paused the campaign.

        Raises:
            BrakeHolds: a person must accept them first.
            UnknownCampaign, WrongState
        """
        return self._take("resume", campaign_id, accepts_brake=accept_brake)[0]

    def cancel(self, campaign_id: str) -> int:
        """Cancel the campaign, which is final. Returns the number of rows still in flight."""
        return self._take("cancel", campaign_id)[1]

    def _take(
        self, name: str, campaign_id: str, *, accepts: bool = False, accepts_brake: bool = False
    ) -> tuple[Status, int]:
        step = STEPS[name]
        names = "campaign progress in_flight ready requeued batches held attachments done before_brake"
        outcome, before, in_flight, detail = self._scripts(
            "transition",
            {
                **keys.named(campaign_id, names),
                "running": keys.RUNNING,
                "parsing": keys.PARSING,
                "schedule": keys.SCHEDULE,
            },
            campaign_id=campaign_id,
            target=step.target.value,
            comes_from=",".join(step.comes_from),
            is_there=",".join(step.is_there),
            accepts=accepts,
            by=actor.current(),
            accepts_brake=accepts_brake,
        )
        match outcome.decode():
            case "missing":
                raise UnknownCampaign
            case "refused":
                raise WrongState(before.decode(), step.advice)
            case "empty":
                raise WrongState(before.decode(), "the list has no valid recipient: upload a list with at least one")
            case "columns":
                raise MissingColumns(before.decode(), detail.decode().split(", "))
            case "warnings":
                raise NotAccepted(before.decode(), detail.decode().split(", "))
            case "braked":
                raise BrakeHolds(before.decode(), detail.decode())
            case "moved":
                status = Status(detail.decode())
                if name == "start" and status is Status.RUNNING:
                    self._prime(campaign_id)
                return status, in_flight
        return Status(before.decode()), in_flight

    def _prime(self, campaign_id: str) -> None:
        """Request the first slice immediately. If this message is lost, the dispatcher requests the slice later."""
        list_version = self._redis.hget(keys.campaign(campaign_id), "list_version")
        if list_version:
            messages.send(self._redis, messages.PARSE_CSV, campaign_id, list_version.decode(), 0)

    def set_rate(self, campaign_id: str, tpm: int) -> int:
        """Set the rate in transactions per minute. It applies from the next admission on.

        Raises:
            UnknownCampaign: no campaign has this id.
        """
        if not self._scripts("set_rate", keys.named(campaign_id, "campaign"), tpm=tpm, by=actor.current()):
            raise UnknownCampaign
        return tpm
