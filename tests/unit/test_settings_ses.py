"""The settings of Amazon SES: defaults, where the region comes from, and one clear line for each wrong value."""

from __future__ import annotations

import asyncio

import pytest

import settings
from mail import providers

SES = {"EMAIL_PROVIDER": "ses", "SES_REGION": "eu-west-1"}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses-events"


def account(**environ: str) -> settings.SesAccount:
    found = settings.load({**SES, **environ}).accounts["default"].ses
    assert found
    return found


def test_the_region_is_enough() -> None:
    url = "https://email.eu-west-1.amazonaws.com"
    assert account() == settings.SesAccount("eu-west-1", url, None, "", "")
    assert settings.load(SES).ses_topic_arns == ()
    assert settings.load({}).accounts["default"].ses is None


def test_china_has_another_domain() -> None:
    assert account(SES_REGION="cn-north-1").endpoint_url == "https://email.cn-north-1.amazonaws.com.cn"


def test_what_is_given_counts() -> None:
    found = account(
        SES_CONFIGURATION_SET="news", SES_ACCESS_KEY_ID="AKID", SES_SECRET_ACCESS_KEY="s/+=",
        SES_ENDPOINT_URL="https://vpce-1.email.eu-west-1.vpce.amazonaws.com/",
    )  # fmt: skip
    url = "https://vpce-1.email.eu-west-1.vpce.amazonaws.com"
    assert found == settings.SesAccount("eu-west-1", url, "news", "AKID", "s/+=")
    assert "AKID" not in repr(found)
    assert "s/+=" not in repr(found)


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_usual_aws_variables_name_the_region_unless_they_are_those_of_another_s3_server(name: str) -> None:
    usual = {"EMAIL_PROVIDER": "ses", name: "us-east-2"}
    found = settings.load(usual).accounts["default"].ses
    assert found
    assert found.region == "us-east-2"
    assert account(**{name: "us-east-2"}).region == "eu-west-1"
    with pytest.raises(settings.SettingError, match="SES_REGION"):
        settings.load({**usual, "S3_ENDPOINT_URL": "http://localhost:9000"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SES_REGION", ""),
        ("SES_REGION", "Frankfurt"),
        ("SES_REGION", "eu-west-1.evil.example/"),
        ("SES_CONFIGURATION_SET", "two words"),
        ("SES_CONFIGURATION_SET", "x" * 65),
        ("SES_ENDPOINT_URL", "email.eu-west-1.amazonaws.com"),
        ("SES_TOPIC_ARN", "ses-events"),
        ("SES_TOPIC_ARN", f"{TOPIC},x"),
        ("SES_TOPIC_ARN", TOPIC.replace("123456789012", "1")),
        ("SES_TOPIC_ARN", TOPIC.replace("eu-west-1", "evil.example")),
    ],
)
def test_a_wrong_value_stops_the_start_with_its_name(name: str, value: str) -> None:
    with pytest.raises(settings.SettingError, match=f"setting {name}: "):
        settings.load({**SES, name: value})


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"SES_ACCESS_KEY_ID": "AKIDHIDDEN"}, "SES_SECRET_ACCESS_KEY"),
        ({"SES_SECRET_ACCESS_KEY": "HIDDEN"}, "SES_ACCESS_KEY_ID"),
        ({"SES_ACCESS_KEY_ID": "AKID", "SES_SECRET_ACCESS_KEY": "HID DEN"}, "SES_SECRET_ACCESS_KEY"),
    ],
)
def test_keys_come_in_pairs_and_no_error_shows_them(environ: dict[str, str], name: str) -> None:
    with pytest.raises(settings.SettingError, match=f"setting {name}: ") as raised:
        settings.load({**SES, **environ})
    assert "HID" not in str(raised.value)


def test_several_topics_are_separated_by_commas() -> None:
    assert settings.load({"SES_TOPIC_ARN": f" {TOPIC}, {TOPIC}2 ,"}).ses_topic_arns == (TOPIC, f"{TOPIC}2")


def test_the_settings_choose_the_provider() -> None:
    async def built() -> providers.Provider:
        provider = providers.build(settings.load(SES).accounts["default"], settings.load(SES))
        await provider.close()
        return provider

    assert isinstance(asyncio.run(built()), providers.Ses)
