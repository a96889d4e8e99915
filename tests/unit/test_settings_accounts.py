"""The settings of the provider accounts, and the warnings about names that are probably meant as settings."""

from __future__ import annotations

from pathlib import Path

import pytest

import settings
from settings.accounts import ACCOUNT_SETTINGS, OF_DEFAULT

NEWS = {"ACCOUNTS": "news", "ACCOUNT_NEWS_SENDGRID_API_KEY": "SG.news"}


def test_default_is_the_only_account_of_an_empty_environment() -> None:
    [account] = settings.load({}).accounts.values()
    assert account == settings.ProviderAccount("default", "outbox")


def test_each_account_has_its_own_provider_credentials_rate_and_fallback() -> None:
    found = settings.load({
        "SENDGRID_API_KEY": "SG.default", "PROVIDER_TPM": "100", "PROVIDER_FALLBACK": "news",
        "ACCOUNTS": " news, bills-2 ,ses_eu,", "ACCOUNT_NEWS_SENDGRID_API_KEY": "SG.news",
        "ACCOUNT_NEWS_SENDGRID_API_URL": "https://api.eu.sendgrid.com", "ACCOUNT_NEWS_TPM": "600",
        "ACCOUNT_NEWS_FALLBACK": "bills-2", "ACCOUNT_BILLS_2_SMTP_URL": "smtps://u:p@mail.example.com",
        "ACCOUNT_SES_EU_SES_REGION": "eu-west-1", "ACCOUNT_SES_EU_SES_CONFIGURATION_SET": "c",
    }).accounts  # fmt: skip
    assert list(found) == ["default", "news", "bills-2", "ses_eu"]
    default, news, bills, ses = found.values()
    assert (default.sendgrid_api_key, default.tpm, default.fallback) == ("SG.default", 100, "news")
    assert (news.provider, news.sendgrid_api_key, news.tpm, news.fallback) == ("sendgrid", "SG.news", 600, "bills-2")
    assert news.sendgrid_api_url == "https://api.eu.sendgrid.com"
    assert bills.smtp
    assert (bills.provider, bills.smtp.host, bills.tpm, bills.fallback) == ("smtp", "mail.example.com", None, None)
    assert ses.ses
    assert (ses.provider, ses.ses.region, ses.ses.configuration_set) == ("ses", "eu-west-1", "c")


def test_an_account_takes_no_credentials_from_default() -> None:
    with pytest.raises(settings.SettingError, match="setting ACCOUNT_NEWS_SENDGRID_API_KEY: needed"):
        settings.load({"SENDGRID_API_KEY": "SG.x", "ACCOUNTS": "news", "ACCOUNT_NEWS_PROVIDER": "sendgrid"})


@pytest.mark.parametrize(
    ("environ", "name", "words"),
    [
        ({"ACCOUNTS": "News"}, "ACCOUNTS", "'News'"),
        ({"ACCOUNTS": "2news"}, "ACCOUNTS", "a letter first"),
        ({"ACCOUNTS": "default"}, "ACCOUNTS", "EMAIL_PROVIDER"),
        ({"ACCOUNTS": "a-b,a_b", "ACCOUNT_A_B_PROVIDER": "outbox"}, "ACCOUNTS", "rename 'a_b'"),
        ({"ACCOUNTS": ",".join(f"a{n}" for n in range(51))}, "ACCOUNTS", "at most 50"),
        ({"ACCOUNTS": "news"}, "ACCOUNT_NEWS_PROVIDER", "missing; set it to one of sendgrid"),
        ({"ACCOUNTS": "news", "ACCOUNT_NEWS_PROVIDER": "pigeon"}, "ACCOUNT_NEWS_PROVIDER", "pigeon"),
        ({"ACCOUNTS": "news", "ACCOUNT_NEWS_PROVIDER": "smtp"}, "ACCOUNT_NEWS_SMTP_URL", "needed"),
        ({"ACCOUNTS": "news", "ACCOUNT_NEWS_PROVIDER": "ses"}, "ACCOUNT_NEWS_SES_REGION", "needed"),
        ({"ACCOUNTS": "news", "ACCOUNT_NEWS_SMTP_URL": "news"}, "ACCOUNT_NEWS_SMTP_URL", "expected smtp://"),
        ({**NEWS, "ACCOUNT_NEWS_TPM": "many"}, "ACCOUNT_NEWS_TPM", "'many'"),
        ({**NEWS, "ACCOUNT_NEWS_SENDGRID_API_URL": "ftp://x"}, "ACCOUNT_NEWS_SENDGRID_API_URL", "https://"),
        ({**NEWS, "ACCOUNT_NEWS_FALLBACK": "billing"}, "ACCOUNT_NEWS_FALLBACK", "there are default, news"),
        ({**NEWS, "ACCOUNT_NEWS_FALLBACK": "news"}, "ACCOUNT_NEWS_FALLBACK", "cannot stand in for itself"),
    ],
)  # fmt: skip
def test_a_wrong_value_stops_the_start_with_its_name(environ: dict[str, str], name: str, words: str) -> None:
    with pytest.raises(settings.SettingError, match=f"setting {name}: .*{words}"):
        settings.load(environ)


def test_two_accounts_may_stand_in_for_each_other() -> None:
    found = settings.load({**NEWS, "PROVIDER_FALLBACK": "news", "ACCOUNT_NEWS_FALLBACK": "default"}).accounts
    assert (found["default"].fallback, found["news"].fallback) == ("news", "default")


def test_no_text_shows_an_accounts_secrets() -> None:
    found = settings.load(NEWS | {"ACCOUNT_NEWS_SMTP_URL": "smtp://user:hidden@mail.example.com"})
    assert "SG.news" not in repr(found)
    assert "hidden" not in repr(found)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SENDGIRD_API_KEY", "SENDGRID_API_KEY"),
        ("SENDGRIDAPIKEY", "SENDGRID_API_KEY"),
        ("sendgrid_api_key", "SENDGRID_API_KEY"),
        ("SES_ACESS_KEY_ID", "SES_ACCESS_KEY_ID"),
        ("REDIS_URI", "REDIS_URL"),
        ("ACCOUNT", "ACCOUNTS"),
        ("FALBACK_AFTER_S", "FALLBACK_AFTER_S"),
        ("DOMAIN_TMP", "DOMAIN_TPM"),
    ],
)
def test_a_misspelt_setting_gives_a_warning_that_names_the_right_one(name: str, meant: str) -> None:
    [line] = settings.load({name: "x"}).warnings
    assert line == f"{name} is no setting and has no effect: did you mean {meant}?"


def test_names_of_other_programs_give_no_warning() -> None:
    usual = ("PATH", "HOME", "LANG", "PYTHONPATH", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "HOSTNAME", "LOGNAME", "PWD")
    assert settings.load(dict.fromkeys(usual, "x")).warnings == ()
    assert settings.load(NEWS | {"REDIS_ADDR": "a:1", "PORT": "1", "LOG_LEVEL": "info"}).warnings == ()


def test_settings_of_accounts_that_have_no_effect_give_a_warning() -> None:
    found = settings.load(NEWS | {"ACCOUNT_NEWS_TMP": "600", "ACCOUNT_OLD_TPM": "600"})
    tmp, old = found.warnings
    assert tmp.startswith("ACCOUNT_NEWS_TMP has no effect: the settings of the account news are ACCOUNT_NEWS with one")
    assert old == "ACCOUNT_OLD_TPM has no effect: it belongs to no account; ACCOUNTS names news"


def test_no_warning_shows_a_value() -> None:
    assert "hidden" not in str(settings.load({"SENDGIRD_API_KEY": "hidden"}).warnings)


def test_every_setting_of_an_account_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    for ending in ACCOUNT_SETTINGS:
        assert f"`ACCOUNT_NEWS_{ending}`" in page
    for name in OF_DEFAULT.values():
        assert f"`{name}`" in page
