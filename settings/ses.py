"""The Amazon SES account, and the topics of its events."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from settings.environment import Environment

_REGION = re.compile(r"[a-z]{2,3}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")
_CONFIGURATION_SET = re.compile(r"[A-Za-z0-9_-]{1,64}")
_AWS_KEY = re.compile(r"[!-~]{1,256}")
_TOPIC_ARN = re.compile(rf"arn:aws(-[a-z]+)*:sns:{_REGION.pattern}:[0-9]{{12}}:[A-Za-z0-9_-]{{1,256}}")


@dataclass(frozen=True, slots=True)
class SesAccount:
    """The Amazon SES account of `SES_REGION`.

    Args:
        region: the AWS region, such as `eu-west-1`.
        endpoint_url: the base URL of the API, without a slash at its end.
        configuration_set: the configuration set of each email; None: the default one of the sender's identity.
        access_key_id, secret_access_key: permanent credentials; both "": those of the usual AWS places.
    """

    region: str
    endpoint_url: str
    configuration_set: str | None
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)


def usual_region(env: Environment) -> str | None:
    """The region of the usual AWS variables. With another S3 server, they are those of that server: None.

    `make run` sets them so, too.
    """
    return None if env.text("S3_ENDPOINT_URL") else env.text("AWS_REGION") or env.text("AWS_DEFAULT_REGION")


def read(env: Environment, usual: str | None) -> SesAccount:
    """The SES account. `usual`: the region without `SES_REGION`."""
    region = env.text("SES_REGION", usual)
    if region is None:
        raise env.error("SES_REGION", "needed for the provider ses: the AWS region of SES, such as eu-west-1")
    if not _REGION.fullmatch(region):
        raise env.error("SES_REGION", f"{region!r} is not an AWS region; expected a name such as eu-west-1")
    configuration_set = env.text("SES_CONFIGURATION_SET")
    if configuration_set and not _CONFIGURATION_SET.fullmatch(configuration_set):
        raise env.error("SES_CONFIGURATION_SET", "expected 1 to 64 letters, digits, _ and -")
    key_id, secret = env.secret("SES_ACCESS_KEY_ID") or "", env.secret("SES_SECRET_ACCESS_KEY") or ""
    for name, value in (("SES_ACCESS_KEY_ID", key_id), ("SES_SECRET_ACCESS_KEY", secret)):
        if bool(key_id) != bool(secret) and not value:
            raise env.error(name, "missing; set both SES_ACCESS_KEY_ID and SES_SECRET_ACCESS_KEY, or neither")
        if value and not _AWS_KEY.fullmatch(value):
            raise env.error(name, "contains a character that no AWS key has; copy it again")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url = str(env.url("SES_ENDPOINT_URL", f"https://email.{region}.{domain}", ("http", "https")))
    return SesAccount(region, url, configuration_set, key_id, secret)


def topic_arns(env: Environment, name: str) -> tuple[str, ...]:
    """`arn:aws:sns:eu-west-1:123456789012:events`, or several of them with commas."""
    found = tuple(filter(None, (part.strip() for part in env.required_text(name, "").split(","))))
    for arn in found:
        if not _TOPIC_ARN.fullmatch(arn):
            raise env.error(name, f"{arn!r} is not an SNS topic; expected arn:aws:sns:region:account:name")
    return found
