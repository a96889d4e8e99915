"""The sender check: what each record says, and what to put into the DNS. No test asks a real name server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from redis import Redis

import settings
from api.application import create_app
from consent.dns_records import DnsTxtRecords, DnsUnavailable
from consent.sender_check import SenderReport, check
from tests.support.doubles.object_store import MemoryStore
from tests.support.doubles.web import Web


def key(bits: int) -> str:
    return encoded(rsa.generate_private_key(65537, bits))


def encoded(private: Any) -> str:
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


#: dnspython's exceptions have no types.
RESOLVER: Any = dns.resolver
NAME: Any = dns.name
QUESTION = dns.message.make_query("x.test", "TXT")
GOOD_KEY = f"v=DKIM1; k=rsa; t=s; p={key(2048)}"
SPF = "v=spf1 include:sendgrid.net ~all"
DMARC = "v=DMARC1; p=none"
GOOD = {"x.test": [SPF], "s1._domainkey.x.test": [GOOD_KEY], "_dmarc.x.test": [DMARC]}


class Zone:
    """A DNS that consists of TXT records. A name with None does not answer."""

    def __init__(self, names: Mapping[str, list[str] | None]) -> None:
        self.names = names
        self.asked: list[str] = []

    async def txt(self, name: str) -> list[str]:
        self.asked.append(name)
        found = self.names.get(name, [])
        if found is None:
            raise DnsUnavailable("no answer within 3 s")
        return found


def report(names: Mapping[str, list[str] | None], domain: str = "x.test", **more: Any) -> SenderReport:
    return asyncio.run(check(Zone(names), domain, more.pop("provider", "sendgrid"), **more))


def test_a_domain_that_is_as_it_should_be() -> None:
    found = report(GOOD)
    assert (found.domain, found.verdict) == ("x.test", "ok")
    assert [found.spf.found, found.dkim.found, found.dmarc.found] == [SPF, GOOD_KEY, DMARC]
    assert not [*found.spf.to_do, *found.dkim.to_do, *found.dmarc.to_do]


def test_a_domain_without_records_is_told_each_of_them() -> None:
    found = report({})
    assert {found.verdict, found.spf.verdict, found.dkim.verdict, found.dmarc.verdict} == {"fail"}
    assert [(one.name, one.type, one.value) for one in (*found.spf.to_do, *found.dmarc.to_do)] == [
        ("x.test", "TXT", "v=spf1 include:sendgrid.net ~all"),
        ("_dmarc.x.test", "TXT", "v=DMARC1; p=none; rua=mailto:postmaster@x.test"),
    ]
    assert [(one.name, one.type) for one in found.dkim.to_do] == [
        ("s1._domainkey.x.test", "CNAME"),
        ("s2._domainkey.x.test", "CNAME"),
    ]


@pytest.mark.parametrize(
    ("records", "verdict", "words"),
    [
        (["other", SPF], "ok", "names SendGrid"),
        (["V=SPF1 include:SendGrid.net -all"], "ok", "names SendGrid"),
        (["v=spf10 include:sendgrid.net"], "fail", "no SPF record"),
        ([SPF, "v=spf1 -all"], "fail", "2 SPF records"),
        (["v=spf1 include:sendgrid.net +all"], "warn", "every server"),
        (["v=spf1 include:sendgrid.net ?all"], "warn", "every server"),
        (["v=spf1 a mx -all"], "warn", "does not name SendGrid"),
        (["v=spf1 include:inner.test ~all"], "ok", "names SendGrid"),
        (["v=spf1 redirect=inner.test"], "ok", "names SendGrid"),
        (["v=spf1 include:x.test ~all"], "fail", "more than 10"),
        (["v=spf1 " + " ".join(f"a:h{n}.test" for n in range(11)) + " ~all"], "fail", "more than 10"),
        (["v=spf1 include:%{i}.x.test include:sendgrid.net ~all"], "ok", "names SendGrid"),
    ],
)
def test_spf(records: list[str], verdict: str, words: str) -> None:
    found = report(GOOD | {"x.test": records, "inner.test": ["v=spf1 include:sendgrid.net -all"]}).spf
    assert found.verdict == verdict
    assert words in found.detail


def test_a_record_that_lacks_the_provider_is_completed() -> None:
    found = report(GOOD | {"x.test": ["v=spf1 a mx -all"]}).spf
    assert [one.value for one in found.to_do] == ["v=spf1 a mx include:sendgrid.net ~all"]


@pytest.mark.parametrize(
    ("record", "verdict", "words"),
    [
        ("v=DKIM1; p=", "fail", "revoked"),
        ("v=DKIM1; p=AAAA", "fail", "cannot be read"),
        ("v=DKIM1; p=!", "fail", "cannot be read"),
        (f"p={key(1024)}", "warn", "1024 bits"),
        (f"v=DKIM1; t=y; p={key(2048)}", "warn", "t=y"),
        (f"v=DKIM1; k=ed25519; p={base64.b64encode(b'k' * 32).decode()}", "ok", "s1._domainkey"),
        ("v=DKIM1; k=ed25519; p=AAAA", "fail", "cannot be read"),
        (f"v=DKIM1; p={encoded(ec.generate_private_key(ec.SECP256R1()))}", "fail", "cannot be read"),
        ("nothing of the kind", "fail", "No DKIM key"),
    ],
)
def test_dkim(record: str, verdict: str, words: str) -> None:
    found = report(GOOD | {"s1._domainkey.x.test": [record]}).dkim
    assert found.verdict == verdict
    assert words in found.detail


def test_a_selector_wins_over_the_providers_and_the_second_one_counts_too() -> None:
    elsewhere = {"_dmarc.x.test": [DMARC], "x.test": [SPF], "news._domainkey.x.test": [GOOD_KEY]}
    assert report(elsewhere).dkim.verdict == "fail"
    assert report(elsewhere, selector="news").verdict == "ok"
    second = {"_dmarc.x.test": [DMARC], "x.test": [SPF], "s2._domainkey.x.test": [GOOD_KEY]}
    assert report(second).verdict == "ok"


@pytest.mark.parametrize("provider", ["smtp", "outbox", "ses"])
def test_a_provider_without_fixed_selectors_asks_for_one(provider: str) -> None:
    found = report(GOOD, provider=provider)
    assert (found.dkim.verdict, found.alignment.verdict) == ("unknown", "unknown")
    assert "?selector=" in found.dkim.detail
    assert report(GOOD, provider=provider, selector="s1").dkim.verdict == "ok"


@pytest.mark.parametrize(
    ("names", "verdict", "words"),
    [
        ({"_dmarc.mail.x.test": ["v=DMARC1; p=reject"]}, "ok", "reject"),
        ({"_dmarc.x.test": ["v=DMARC1; p=none; sp=quarantine"]}, "ok", "quarantine"),
        ({"_dmarc.x.test": ["v=DMARC1; p=none"]}, "ok", "none"),
        ({"_dmarc.x.test": ["v=DMARC1"]}, "fail", "p=missing"),
        ({"_dmarc.x.test": ["v=DMARC1; p=maybe"]}, "fail", "p=maybe"),
        ({"_dmarc.x.test": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "fail", "2 DMARC records"),
        ({"_dmarc.test": ["v=DMARC1; p=none"]}, "fail", "no DMARC policy"),
        ({"_dmarc.x.test": ["v=DMARC2; p=none"]}, "fail", "no DMARC policy"),
    ],
)
def test_dmarc_of_a_subdomain(names: dict[str, list[str] | None], verdict: str, words: str) -> None:
    found = report(names, "mail.x.test").dmarc
    assert found.verdict == verdict
    assert words in found.detail


@pytest.mark.parametrize(("mode", "verdict"), [("r", "ok"), ("s", "fail")])
def test_a_key_of_the_domain_above_aligns_unless_the_policy_is_strict(mode: str, verdict: str) -> None:
    names = {"s1._domainkey.x.test": [GOOD_KEY], "_dmarc.x.test": [f"v=DMARC1; p=none; adkim={mode}"]}
    found = report(names, "mail.x.test")
    assert found.dkim.verdict == "ok"
    assert found.alignment.verdict == verdict


def test_without_a_key_nothing_aligns() -> None:
    assert report({"x.test": [SPF], "_dmarc.x.test": [DMARC]}).alignment.verdict == "fail"


@pytest.mark.parametrize("name", list(GOOD))
def test_a_name_that_does_not_answer_leaves_its_check_unknown_and_the_others_known(name: str) -> None:
    found = report(GOOD | {name: None})
    verdicts = {"x.test": found.spf, "s1._domainkey.x.test": found.dkim, "_dmarc.x.test": found.dmarc}
    assert {one for one, finding in verdicts.items() if finding.verdict == "unknown"} == {name}
    assert "no answer within 3 s" in verdicts[name].detail
    assert found.verdict == "unknown"


def test_includes_that_lead_to_each_other_end() -> None:
    zone = Zone({"x.test": ["v=spf1 include:y.test ~all"], "y.test": ["v=spf1 include:x.test ~all"]})
    assert asyncio.run(check(zone, "x.test", "sendgrid")).spf.verdict == "fail"
    assert len(zone.asked) < 30


# dnspython


class Resolver:
    """Stands for dnspython's resolver; raises or answers."""

    def __init__(self, answer: Exception | list[str]) -> None:
        self._answer = answer
        self.asked: list[tuple[object, ...]] = []

    async def resolve(self, name: str, kind: str, *, lifetime: float) -> Any:
        self.asked.append((name, kind, lifetime))
        if isinstance(self._answer, Exception):
            raise self._answer
        return dns.rrset.from_text(name, 60, "IN", "TXT", *self._answer)


def asked(monkeypatch: pytest.MonkeyPatch, answer: Exception | list[str]) -> tuple[DnsTxtRecords, Resolver]:
    resolver = Resolver(answer)
    monkeypatch.setattr(dns.asyncresolver, "Resolver", lambda: resolver)
    return DnsTxtRecords(), resolver


def test_the_strings_of_a_record_are_joined_and_a_question_takes_three_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    records, resolver = asked(monkeypatch, ['"v=spf1 inclu" "de:a.test ~all"', '"other"'])
    assert sorted(asyncio.run(records.txt("x.test"))) == ["other", "v=spf1 include:a.test ~all"]
    assert resolver.asked == [("x.test.", "TXT", 3.0)]


@pytest.mark.parametrize("error", [RESOLVER.NXDOMAIN(), RESOLVER.NoAnswer(response=QUESTION)])
def test_a_name_without_records_is_no_error(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    records, _ = asked(monkeypatch, error)
    assert asyncio.run(records.txt("x.test")) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RESOLVER.LifetimeTimeout(timeout=3, errors=[]), "no answer within 3 s"),
        (RESOLVER.NoNameservers(request=QUESTION, errors=[]), "NoNameservers"),
        (OSError("down"), "OSError"),
        (NAME.LabelTooLong(), "LabelTooLong"),
    ],
)
def test_a_dns_that_does_not_answer_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    records, _ = asked(monkeypatch, error)
    with pytest.raises(DnsUnavailable, match=words):
        asyncio.run(records.txt("x.test"))


# The endpoint


@pytest.fixture
def web(fake_redis: Redis) -> Web:
    environment = {"LOG_LEVEL": "error", "EMAIL_PROVIDER": "sendgrid", "SENDGRID_API_KEY": "k"}
    return Web(create_app(settings.load(environment), redis=fake_redis, store=MemoryStore(), dns=Zone(GOOD)))


@pytest.mark.parametrize("written", ["news@x.test", "News%20%3Cnews@X.test%3E", "x.test"])
def test_the_endpoint_takes_an_address_or_a_domain(web: Web, written: str) -> None:
    answer = web.get(f"/sender-check?from={written}")
    assert answer.status == 200
    found = answer.json()
    assert (found["domain"], found["verdict"]) == ("x.test", "ok")
    assert set(found) == {"domain", "verdict", "spf", "dkim", "dmarc", "alignment"}
    assert set(found["spf"]) == {"verdict", "detail", "found", "to_do"}


@pytest.mark.parametrize("query", ["", "?from=", "?from=a@b@c", "?from=x.test&selector=a%20b", "?from=no%20domain"])
def test_the_endpoint_says_what_is_wrong(web: Web, query: str) -> None:
    answer = web.get(f"/sender-check{query}")
    assert answer.status == 422
    assert answer.detail.startswith(("from", "selector"))


def test_the_endpoint_takes_a_selector(web: Web) -> None:
    assert web.get("/sender-check?from=x.test&selector=other").json()["dkim"]["verdict"] == "fail"
