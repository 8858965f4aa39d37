# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the DNS: what each kind of reply, and each kind of silence, is read as."""

from __future__ import annotations

import time
from types import SimpleNamespace

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest

from packmairie.engines import names as engine
from packmairie.engines.names import Names, values_of
from packmairie.model.probe import Absent, DnsAnswer, DnsQuery, Found, MxLocation, SpfReview, Unanswered

MX = DnsQuery("essai.fr", "MX")


def rrset(type_: str, *values: str, name: str = "essai.fr.") -> dns.rrset.RRset:
    return dns.rrset.from_text(name, 300, "IN", type_, *values)


def response(*sets: dns.rrset.RRset, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, flags: int = 0) -> dns.message.Message:
    query = dns.message.make_query("essai.fr", sets[0].rdtype if sets else "MX")
    reply = dns.message.make_response(query)
    reply.answer = list(sets)
    reply.set_rcode(rcode)
    reply.flags |= flags
    return reply


@pytest.fixture
def names(monkeypatch):
    """Give a function: set what the resolver answers (a record set, several by name, or an exception to raise)."""
    asking = Names(["192.0.2.53"])

    def answering(outcome, flags: int = 0) -> Names:
        def resolve(name, type_, **_options):
            result = outcome(str(name), type_) if callable(outcome) else outcome
            if isinstance(result, Exception):
                raise result
            return SimpleNamespace(rrset=result, response=SimpleNamespace(flags=flags), expiration=time.time() + 300)

        monkeypatch.setattr(asking.resolver, "resolve", resolve)
        return asking

    return answering


class TestResolver:
    def test_asks_only_the_pack_s_with_validation(self):
        resolver = Names(["192.0.2.53", "2001:db8::53"]).resolver
        assert resolver.nameservers == ["192.0.2.53", "2001:db8::53"]
        assert resolver.flags == dns.flags.RD | dns.flags.AD
        assert not resolver.ednsflags & dns.flags.DO

    def test_found(self, names):
        answer = names(rrset("MX", "10 MX.Pack.Example.", "20 b.example.")).ask(MX)
        assert answer == Found(DnsAnswer(("10 mx.pack.example.", "20 b.example."), False))

    def test_validated(self, names):
        assert names(rrset("MX", "10 a."), dns.flags.AD).ask(MX).value.authenticated

    @pytest.mark.parametrize("error", [dns.resolver.NXDOMAIN(), dns.resolver.NoAnswer(response=response())])
    def test_absent(self, names, error):
        answer = names(error).ask(MX)
        assert isinstance(answer, Absent)
        assert "essai.fr" in answer.reason

    @pytest.mark.parametrize(
        "error",
        [
            dns.resolver.LifetimeTimeout(timeout=5, errors=[]),
            dns.resolver.NoNameservers(request=dns.message.make_query("essai.fr", "MX"), errors=[]),
            dns.resolver.NoNameservers(
                request=dns.message.make_query("essai.fr", "MX"), errors=[("192.0.2.53", False, 53, "SERVFAIL", None)]
            ),
            dns.resolver.YXDOMAIN(),
            dns.exception.DNSException("x"),
            OSError(101, "Network is unreachable"),
        ],
    )
    def test_unanswered(self, names, error):
        assert isinstance(names(error).ask(MX), Unanswered)

    def test_what_was_found_serves_again_until_its_time_has_run_and_absence_never(self, monkeypatch):
        asking, asked, now = Names(["192.0.2.53"], remembering=True), [], [1000.0]

        def resolve(name, type_, **_options):
            asked.append(type_)
            if type_ == "MX":
                raise dns.resolver.NoAnswer(response=response())
            return SimpleNamespace(
                rrset=rrset("A", "192.0.2.1"), response=SimpleNamespace(flags=0), expiration=now[0] + 60
            )

        monkeypatch.setattr(asking.resolver, "resolve", resolve)
        monkeypatch.setattr(engine.time, "time", lambda: now[0])
        for _time in range(2):
            assert asking.addresses("essai.fr", ("A",)) == ["192.0.2.1"]
            assert isinstance(asking.ask(MX), Absent)
        assert asked == ["A", "MX", "MX"]
        now[0] += 61
        assert asking.addresses("essai.fr", ("A",)) == ["192.0.2.1"]
        assert asked == ["A", "MX", "MX", "A"]

    def test_a_name_that_is_none_is_no_verdict(self):
        assert isinstance(Names(["192.0.2.53"]).ask(DnsQuery("a" * 70 + ".fr", "MX")), Unanswered)


class TestServer:
    QUERY = DnsQuery("essai.fr", "MX", "192.0.2.1")

    def ask(self, monkeypatch, outcome):
        asked = []

        def udp(message, _server, **_options):
            asked.append(message)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome, False

        monkeypatch.setattr(dns.query, "udp_with_fallback", udp)
        answer = Names(["192.0.2.53"]).ask(self.QUERY)
        assert not asked[0].flags & dns.flags.RD, "an authority is not asked to look elsewhere"
        return answer

    def test_found(self, monkeypatch):
        assert self.ask(monkeypatch, response(rrset("MX", "10 a."))) == Found(DnsAnswer(("10 a.",)))

    @pytest.mark.parametrize(
        ("reply", "told"),
        [
            (response(), "n'a pas d'enregistrement MX"),
            (response(rrset("CNAME", "b.")), "n'a pas d'enregistrement MX"),
            (response(rcode=dns.rcode.NXDOMAIN), "n'existe pas"),
            (response(rcode=dns.rcode.REFUSED), "REFUSED"),
            (response(rcode=dns.rcode.SERVFAIL), "SERVFAIL"),
        ],
    )
    def test_absent(self, monkeypatch, reply, told):
        answer = self.ask(monkeypatch, reply)
        assert isinstance(answer, Absent)
        assert told in answer.reason

    @pytest.mark.parametrize(
        "error", [dns.exception.Timeout(), OSError(113, "No route to host"), dns.query.BadResponse()]
    )
    def test_unanswered(self, monkeypatch, error):
        assert isinstance(self.ask(monkeypatch, error), Unanswered)


class TestValues:
    def test_txt_is_joined_and_unquoted(self):
        assert values_of(rrset("TXT", '"a" "b\\;c \\"d\\""')) == ('ab;c "d"',)

    def test_bytes_that_are_no_text_break_nothing(self):
        assert values_of(rrset("TXT", '"\\255"')) == ("�",)

    def test_names_are_lower_case_and_sorted(self):
        assert values_of(rrset("NS", "B.Example.", "a.example.")) == ("a.example.", "b.example.")

    def test_case_is_kept_where_it_means_something(self):
        assert values_of(rrset("CAA", '0 issue "LetsEncrypt.org"')) == ('0 issue "LetsEncrypt.org"',)
        assert values_of(rrset("TXT", '"p=AbC"')) == ("p=AbC",)


class TestLocation:
    def world(self, exchanges: tuple[str, ...], addresses: dict[str, tuple[str, ...] | Exception]):
        def outcome(name, type_):
            if type_ == "MX":
                return rrset("MX", *exchanges)
            known = addresses.get(name, dns.resolver.NXDOMAIN())
            return known if isinstance(known, Exception) else rrset("A", *known)

        return outcome

    def test_the_first_by_preference_with_an_ipv4(self, names):
        world = self.world(("20 b.", "10 a.", "5 v6."), {"a": ("192.0.2.1", "192.0.2.2"), "b": ("192.0.2.3",)})
        answer = names(world).locate_exchange(MxLocation("essai.fr"))
        assert answer.value.server == "a"
        assert answer.value.countries == {"192.0.2.1": "", "192.0.2.2": ""}

    def test_none_has(self, names):
        assert isinstance(names(self.world(("10 a.",), {})).locate_exchange(MxLocation("essai.fr")), Absent)

    def test_a_silence_about_the_first_does_not_accuse_the_second(self, names):
        silence = dns.resolver.LifetimeTimeout(timeout=5, errors=[])
        world = self.world(("10 a.", "20 b."), {"a": silence, "b": ("192.0.2.3",)})
        assert isinstance(names(world).locate_exchange(MxLocation("essai.fr")), Unanswered)

    def test_no_mx_and_silence_are_passed_on(self, names):
        assert isinstance(names(dns.resolver.NXDOMAIN()).locate_exchange(MxLocation("essai.fr")), Absent)
        silence = dns.resolver.LifetimeTimeout(timeout=5, errors=[])
        assert isinstance(names(silence).locate_exchange(MxLocation("essai.fr")), Unanswered)

    def test_a_base_that_is_not_there_knows_nothing(self):
        assert Names(["192.0.2.53"], "/nulle/part.mmdb")._country("192.0.2.1") == ""


class TestSenderPolicy:
    def review(self, monkeypatch, outcome):
        import checkdmarc.spf

        def check(*_arguments, **_options):
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(checkdmarc.spf, "check_spf", check)
        return Names(["192.0.2.53"]).review_sender_policy(SpfReview("essai.fr"))

    def test_findings(self, monkeypatch):
        found = {"record": "v=spf1 -all", "dns_lookups": 1, "valid": True, "warnings": ["w"]}
        assert self.review(monkeypatch, found).value.lookups == 1
        assert self.review(monkeypatch, {"record": None, "error": "boucle"}).value.error == "boucle"

    @pytest.mark.parametrize(
        "outcome",
        [
            dns.resolver.LifetimeTimeout(timeout=5, errors=[]),
            OSError("x"),
            {"error": "The resolution lifetime expired: timed out"},
            {"error": "_spf.pack.example: SERVFAIL"},
        ],
    )
    def test_silence(self, monkeypatch, outcome):
        assert isinstance(self.review(monkeypatch, outcome), Unanswered)
