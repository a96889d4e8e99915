"""Settings: defaults as documented, derived values, and one clear line for each wrong value."""

from __future__ import annotations

import ast
import re
import traceback
from pathlib import Path

import pytest

import settings
from tests.support.setting_names import all_names

ROOT = Path(settings.__file__).parents[1]


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    found = settings.load({})
    assert found.redis_url == "redis://localhost:6379/0"
    assert not found.redis_given
    assert found.s3_bucket == "my-bucket"
    assert found.s3_endpoint_url is None
    assert found.s3_public_endpoint_url is None
    assert (found.workers, found.worker_processes, found.port) == (10, 2, 8080)
    assert found.email_provider == "outbox"
    assert found.accounts["default"].sendgrid_api_url == "https://api.sendgrid.com"
    assert found.outbox_dir == Path("var/outbox")
    assert found.default_tpm == 1000
    assert found.send_timeout_s == 15
    assert (found.max_retries, found.retry_min_backoff_s, found.retry_max_backoff_s) == (8, 1, 300)
    assert found.reconcile_every_s == 60
    assert found.resend_quiet_s == 900
    assert (found.sendgrid_webhook_public_key, found.webhook_max_age_s) == (None, 90_000)
    assert (found.brake_bounce_pct, found.brake_complaint_pct) == (None, None)
    assert (found.brake_after, found.brake_hours) == (1000, 24)
    assert found.api_token is None
    assert (found.api_token_file, found.allowed_hosts) == (None, ())
    assert not found.allow_anonymous
    assert found.public_url == "http://localhost:8080"
    assert (found.log_level, found.log_format) == ("info", "json")


def test_redis_url_wins_over_redis_addr() -> None:
    both = settings.load({"REDIS_ADDR": "a:1", "REDIS_URL": "rediss://b:2/3"})
    assert both.redis_url == "rediss://b:2/3"
    assert settings.load({"REDIS_ADDR": "a:1"}).redis_url == "redis://a:1/0"


@pytest.mark.parametrize("name", ["REDIS_ADDR", "REDIS_URL"])
def test_a_redis_given_by_setting_replaces_the_embedded_one(name: str) -> None:
    assert settings.load({name: {"REDIS_ADDR": "a:1", "REDIS_URL": "unix:///a"}[name]}).redis_given


def test_clients_see_the_public_s3_address_if_there_is_one() -> None:
    inside = {"S3_ENDPOINT_URL": "http://s3:9000/"}
    assert settings.load(inside).s3_public_endpoint_url == "http://s3:9000"
    outside = {"S3_PUBLIC_ENDPOINT_URL": "http://localhost:9000"}
    assert settings.load(inside | outside).s3_public_endpoint_url == "http://localhost:9000"


def test_a_sendgrid_key_chooses_sendgrid_unless_a_provider_is_named() -> None:
    assert settings.load({"SENDGRID_API_KEY": "k"}).email_provider == "sendgrid"
    assert settings.load({"SENDGRID_API_KEY": "k", "EMAIL_PROVIDER": "outbox"}).email_provider == "outbox"


def test_var_dir_moves_the_outbox_too_unless_the_outbox_is_set() -> None:
    assert settings.load({"VAR_DIR": "/data"}).outbox_dir == Path("/data/outbox")
    assert settings.load({"VAR_DIR": "/data", "OUTBOX_DIR": "mails"}).outbox_dir == Path("mails")


def test_links_lead_to_the_port_unless_a_public_address_is_set() -> None:
    assert settings.load({"PORT": "8081"}).public_url == "http://localhost:8081"
    assert settings.load({"PORT": "8081", "PUBLIC_URL": "https://mail.example"}).public_url == "https://mail.example"


def test_an_empty_variable_counts_as_unset() -> None:
    assert settings.load({"REDIS_URL": " ", "WORKERS": "", "SENDGRID_API_KEY": ""}) == settings.load({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "²"),
        ("WORKERS", "9" * 5000),
        ("SEND_TIMEOUT_S", "²"),
        ("DOMAIN_TPM", "a.test=²"),
        ("DOMAIN_TPM", "a.test=" + "9" * 5000),
        ("DOMAIN_TPM", "a.test=0"),
        ("DOMAIN_TPM", "a.test"),
        ("WORKERS", "0"),
        ("WORKER_PROCESSES", "1.5"),
        ("DEFAULT_TPM", "10000001"),
        ("SEND_TIMEOUT_S", "nan"),
        ("SEND_TIMEOUT_S", "0"),
        ("MAX_RETRIES", "-1"),
        ("RETRY_MIN_BACKOFF_S", "soon"),
        ("RESEND_QUIET_S", "-1"),
        ("RETENTION_DAYS", "0"),
        ("RETENTION_DAYS", "a month"),
        ("EVENTS_URL", "hooks.shop.test"),
        ("EVENTS_URL", "http://hooks.shop.test"),  # without EVENTS_ALLOW_PRIVATE
        ("EVENTS_SECRET", "whsec_short"),
        ("EVENTS_SECRET", "A" * 44),
        ("EVENTS_ALLOW_PRIVATE", "perhaps"),
        ("SENDGRID_WEBHOOK_PUBLIC_KEY", "SG.not-a-key"),
        # A key of another kind, Ed25519
        ("SENDGRID_WEBHOOK_PUBLIC_KEY", "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="),
        ("SENDGRID_WEBHOOK_PUBLIC_KEY", "SG.not-a-key,"),
        ("BRAKE_BOUNCE_PCT", "0"),
        ("BRAKE_BOUNCE_PCT", "5 %"),
        ("BRAKE_COMPLAINT_PCT", "100.1"),
        ("BRAKE_COMPLAINT_PCT", "nan"),
        ("BRAKE_AFTER", "0"),
        ("BRAKE_HOURS", "169"),
        ("ALLOW_ANONYMOUS", "maybe"),
        ("EMAIL_PROVIDER", "pigeon"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_ADDR", "localhost"),
        ("REDIS_ADDR", ":6379"),
        ("REDIS_ADDR", "localhost:²"),
        ("REDIS_ADDR", "localhost:65536"),
        ("REDIS_URL", "redis://localhost/zero"),
        ("S3_ENDPOINT_URL", "localhost:9000"),
        ("S3_ENDPOINT_URL", "http://["),
        ("PUBLIC_URL", "http://localhost:eighty"),
        ("PUBLIC_URL", "http://:8080"),
        ("ALLOWED_HOSTS", "http://web"),
        ("ALLOWED_HOSTS", "web:8080"),
        ("ALLOWED_HOSTS", "a,*"),
        ("SENDGRID_API_URL", "ftp://api.sendgrid.com"),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_line_that_names_it(name: str, value: str) -> None:
    with pytest.raises(settings.SettingError, match=rf"^postrider: setting {name}: .+$") as stop:
        settings.load({name: value})
    assert "\n" not in str(stop.value)


SECRET = "hunter2correcthorse"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", f"redis://:{SECRET}/x@redis:6379/0"),
        ("REDIS_URL", f"redis://:6379/{SECRET}@redis:6379/0"),
        ("REDIS_URL", f"redis://u:12?{SECRET}@redis:6379/0"),
        ("REDIS_URL", f"redis://u:12#{SECRET}@redis:6379/0"),
        ("REDIS_URL", f"redis://:[{SECRET}@redis:6379/0"),
        ("REDIS_URL", f"redis://:{SECRET}\u2100@redis:6379/0"),
        ("REDIS_URL", f"redis://:{SECRET}@redis:port/0"),
        ("REDIS_URL", f"redis://:{SECRET}@redis:6379/zero"),
        ("REDIS_URL", f"redis://:{SECRET}@redis:6379/0?socket_timeout={SECRET}"),
        ("REDIS_URL", f"redis://:a\n{SECRET}@redis:6379/0"),
        ("REDIS_URL", f"http://:{SECRET}@redis:6379/0"),
        ("REDIS_URL", SECRET),
        ("REDIS_ADDR", f":{SECRET}@redis:6379"),
        ("REDIS_ADDR", f"redis://:{SECRET}@redis:6379"),
        ("REDIS_ADDR", f"redis:{SECRET}"),
        ("S3_ENDPOINT_URL", f"http://key:{SECRET}@s3:9000"),
        ("S3_PUBLIC_ENDPOINT_URL", f"http://key:{SECRET}@s3:port"),
        ("SENDGRID_API_URL", f"https://{SECRET}@api.sendgrid.com"),
        ("PUBLIC_URL", f"http://:[{SECRET}@mail"),
        ("SENDGRID_API_KEY", f"SG.x\n{SECRET}"),
        ("SENDGRID_WEBHOOK_PUBLIC_KEY", SECRET),
        ("API_TOKEN", f"a\x00{SECRET}"),
    ],
)
def test_no_error_shows_a_secret_or_a_part_of_it(name: str, value: str) -> None:
    with pytest.raises(settings.SettingError) as stop:
        settings.load({name: value})
    shown = "".join(traceback.format_exception(stop.value))
    assert not [SECRET[at : at + 5] for at in range(len(SECRET) - 4) if SECRET[at : at + 5] in shown]


def test_the_error_shows_the_form_of_an_address_with_a_password() -> None:
    with pytest.raises(settings.SettingError, match="%2F"):
        settings.load({"REDIS_URL": "redis://:a/b@redis:6379/0"})
    for url in (
        "redis://:a%2Fb%25@redis:6379/0",
        "rediss://u:p@redis",
        "redis://[::1]:1/2",
        "unix://:p@/run/r.sock?db=1",
    ):
        assert settings.load({"REDIS_URL": url}).redis_url == url
    assert settings.load({"REDIS_ADDR": "[::1]:6379"}).redis_url == "redis://[::1]:6379/0"


def test_the_text_form_of_settings_shows_no_secret() -> None:
    given = {"REDIS_URL": f"redis://:{SECRET}@r:1/0", "SENDGRID_API_KEY": SECRET, "API_TOKEN": SECRET}
    assert SECRET not in repr(settings.load(given))


def test_the_longest_backoff_cannot_be_below_the_shortest() -> None:
    with pytest.raises(settings.SettingError, match="RETRY_MAX_BACKOFF_S"):
        settings.load({"RETRY_MIN_BACKOFF_S": "10", "RETRY_MAX_BACKOFF_S": "5"})


def test_sendgrid_needs_its_key() -> None:
    with pytest.raises(settings.SettingError, match="SENDGRID_API_KEY"):
        settings.load({"EMAIL_PROVIDER": "sendgrid"})


def test_every_setting_is_in_the_operations_table() -> None:
    read = all_names()
    table = set(re.findall(r"`([A-Z][A-Z0-9_]{3,})`", (ROOT / "docs" / "operations.md").read_text()))
    assert read
    assert read <= table


def test_no_other_module_reads_the_environment() -> None:
    """run.py and demo.py hand copies to the programs that they start, and ask `settings.load` for every value. The HTTP
    client's allocator takes its one option only from the environment.
    """
    starters = {ROOT / "run.py", ROOT / "demo.py"}
    allowed = {ROOT / "settings/__init__.py", ROOT / "mail/providers/proxied_transport.py", *starters}
    folders = ("api", "broker", "campaigns", "consent", "embedded", "mail", "middleware", "settings", "worker")
    files = {*ROOT.glob("*.py"), *(file for folder in folders for file in (ROOT / folder).rglob("*.py"))} - allowed
    readers = [file.name for file in files if _reads_the_environment(ast.parse(file.read_text()))]
    assert readers == []


def _reads_the_environment(tree: ast.AST) -> bool:
    names = {"environ", "environb", "getenv"}
    return any(
        (isinstance(node, ast.Attribute) and node.attr in names) or (isinstance(node, ast.alias) and node.name in names)
        for node in ast.walk(tree)
    )
