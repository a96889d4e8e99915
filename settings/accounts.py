"""The provider accounts: `default`, and those that `ACCOUNTS` names. One reader serves both.

The settings of the account `news` start with `ACCOUNT_NEWS_`. Those of `default` have no prefix, and three of them have
names of their own (`OF_DEFAULT`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from settings import ses, smtp
from settings.environment import MAX_TPM, Environment
from settings.ses import SesAccount
from settings.smtp import SmtpServer

PROVIDERS: tuple[str, ...] = ("sendgrid", "smtp", "ses", "outbox")

#: The account that every installation has.
DEFAULT: Final = "default"
#: The most accounts that `ACCOUNTS` names.
MAX_ACCOUNTS: Final = 50

#: The settings of an account, without its prefix.
ACCOUNT_SETTINGS: Final = (
    "PROVIDER",
    "SENDGRID_API_KEY",
    "SENDGRID_API_URL",
    "SMTP_URL",
    "SES_REGION",
    "SES_CONFIGURATION_SET",
    "SES_ENDPOINT_URL",
    "SES_ACCESS_KEY_ID",
    "SES_SECRET_ACCESS_KEY",
    "TPM",
    "FALLBACK",
)
#: The names of those that `default` calls otherwise.
OF_DEFAULT: Final = {"PROVIDER": "EMAIL_PROVIDER", "TPM": "PROVIDER_TPM", "FALLBACK": "PROVIDER_FALLBACK"}

#: A name never starts with a digit: the claims in Redis hold times beside names.
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """An account at a provider.

    Args:
        name: `default`, or one of `ACCOUNTS`.
        provider: one of `PROVIDERS`.
        tpm: its limit in transactions per minute; None: no limit.
        fallback: the account that sends while this one's circuit breaker stays open; None: none does.
        smtp: None unless SMTP_URL is set.
        ses: None unless the provider is SES.
    """

    name: str
    provider: str
    tpm: int | None = None
    fallback: str | None = None
    sendgrid_api_key: str | None = field(default=None, repr=False)
    sendgrid_api_url: str = "https://api.sendgrid.com"
    smtp: SmtpServer | None = None
    ses: SesAccount | None = None

    @property
    def fingerprint(self) -> str:
        """Four hexadecimal digits that change with the provider and its credentials. Too few to find a secret by."""
        given = (self.provider, self.sendgrid_api_key, self.sendgrid_api_url, self.smtp, self.ses)
        plain = [asdict(value) if isinstance(value, SmtpServer | SesAccount) else value for value in given]
        return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:4]


def prefix(name: str) -> str:
    """What the names of an account's settings start with: `ACCOUNT_NEWS_`; "" for `default`."""
    return "" if name == DEFAULT else f"ACCOUNT_{name.upper().replace('-', '_')}_"


def read(env: Environment) -> Mapping[str, ProviderAccount]:
    """All accounts by name, `default` first.

    Raises:
        SettingError
    """
    names = _names(env)
    found = {name: _account(env.of(prefix(name)), name, ses.usual_region(env)) for name in (DEFAULT, *names)}
    for account in found.values():
        _check_fallback(env, account, found)
    return found


def _names(env: Environment) -> list[str]:
    names: list[str] = []
    for name in filter(None, (part.strip() for part in env.required_text("ACCOUNTS", "").split(","))):
        if not _NAME.fullmatch(name):
            problem = f"{name!r} is no name of an account; expected 1 to 32 of a-z, 0-9, - and _, a letter first"
            raise env.error("ACCOUNTS", problem)
        if name == DEFAULT:
            problem = "default is always there: leave it out, and set EMAIL_PROVIDER and what that provider needs"
            raise env.error("ACCOUNTS", problem)
        if prefix(name) in map(prefix, names):
            raise env.error("ACCOUNTS", f"two accounts would have the settings {prefix(name)}...: rename {name!r}")
        names.append(name)
    if len(names) > MAX_ACCOUNTS:
        raise env.error("ACCOUNTS", f"names {len(names)} accounts; at most {MAX_ACCOUNTS} are possible")
    return names


def _account(env: Environment, name: str, usual_region: str | None) -> ProviderAccount:
    setting = OF_DEFAULT if name == DEFAULT else {own: own for own in OF_DEFAULT}
    key = env.secret("SENDGRID_API_KEY")
    default = _default_provider(env, name)
    if default is None and env.text(setting["PROVIDER"]) is None:
        raise env.error(setting["PROVIDER"], f"missing; set it to one of {', '.join(PROVIDERS)}")
    provider = env.choice(setting["PROVIDER"], default or "", PROVIDERS)
    if provider == "sendgrid" and not key:
        raise env.error("SENDGRID_API_KEY", "needed for the provider sendgrid")
    server = smtp.read(env)
    if provider == "smtp" and server is None:
        raise env.error("SMTP_URL", "needed for the provider smtp: smtp://user:password@host:587")
    return ProviderAccount(
        name=name,
        provider=provider,
        tpm=env.integer(setting["TPM"], 0, 0, MAX_TPM) or None,
        fallback=env.text(setting["FALLBACK"]),
        sendgrid_api_key=key,
        sendgrid_api_url=str(env.url("SENDGRID_API_URL", "https://api.sendgrid.com", ("http", "https"))),
        smtp=server,
        ses=ses.read(env, usual_region) if provider == "ses" else None,
    )


def _default_provider(env: Environment, name: str) -> str | None:
    """The provider whose settings are there: SendGrid before SMTP. Only `default` is the outbox without any."""
    if env.text("SENDGRID_API_KEY"):
        return "sendgrid"
    if env.text("SMTP_URL"):
        return "smtp"
    if name == DEFAULT:
        return "outbox"
    return "ses" if env.text("SES_REGION") else None


def _check_fallback(env: Environment, account: ProviderAccount, accounts: Mapping[str, ProviderAccount]) -> None:
    """The fallback is another account. Two accounts may stand in for each other."""
    own = env.of(prefix(account.name))
    setting = OF_DEFAULT["FALLBACK"] if account.name == DEFAULT else "FALLBACK"
    if account.fallback is not None and account.fallback not in accounts:
        raise own.error(setting, f"there is no account {account.fallback!r}; there are {', '.join(accounts)}")
    if account.fallback == account.name:
        raise own.error(setting, f"the account {account.name} cannot stand in for itself; name another account")
