# SPDX-License-Identifier: GPL-3.0-or-later
"""Record sets: what is refused, and that what is written is what a name server reads."""

from __future__ import annotations

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packmairie.model.record import DEFAULT_TTL, Record, Zone, txt_strings, zone_text


class TestRecord:
    @pytest.mark.parametrize("values", [(), ("",), ("   ",), ("v=spf1 -all", ""), ("\t",)])
    def test_no_empty_value(self, values):
        with pytest.raises(ValueError, match="sans valeur"):
            Record("", "TXT", values)

    @pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "v=DKIM1\n@ IN NS pirate.example."])
    def test_no_line_break(self, value):
        with pytest.raises(ValueError, match="caractère de contrôle"):
            Record("", "TXT", (value,))

    @pytest.mark.parametrize("type_", ["SOA", "SPF", "txt", ""])
    def test_no_other_type(self, type_):
        with pytest.raises(ValueError, match="type d'enregistrement inconnu"):
            Record("", type_, ("x",))

    def test_the_apex_is_named_in_the_refusal(self):
        with pytest.raises(ValueError, match="MX « @ »"):
            Record("", "MX", ())

    def test_owner(self):
        assert Record("", "A", ("192.0.2.1",)).owner("essai.fr") == "essai.fr."
        assert Record("_dmarc", "A", ("192.0.2.1",)).owner("essai.fr") == "_dmarc.essai.fr."

    def test_why_is_not_identity(self):
        assert Record("", "A", ("192.0.2.1",), why="un") == Record("", "A", ("192.0.2.1",), why="deux")


class TestZone:
    def test_a_record_belongs_to_the_zone_s_commune(self):
        assert Zone("essai.fr", (), "62708").commune_of("n-importe") == "62708"

    def test_or_to_its_owner_in_a_shared_zone(self):
        zone = Zone("pack.example", (), None, True, {"pm1.62708._domainkey": "62708"})
        assert zone.commune_of("pm1.62708._domainkey") == "62708"
        assert zone.commune_of("mx") is None


def joined_strings(presentation: str) -> bytes:
    rdata = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, presentation)
    assert all(len(part) <= 255 for part in rdata.strings)
    return b"".join(rdata.strings)


class TestTxtStrings:
    @settings(max_examples=40)
    @given(st.text(max_size=700))
    def test_a_name_server_reads_back_any_text(self, value):
        assert joined_strings(txt_strings(value)) == value.encode("utf-8")

    @settings(max_examples=40)
    @given(st.text(alphabet='";\\ é$(){}\t\0\x7f', min_size=200, max_size=600))
    def test_also_what_a_zone_file_gives_a_meaning_to(self, value):
        assert joined_strings(txt_strings(value)) == value.encode("utf-8")

    @pytest.mark.parametrize(("length", "strings"), [(0, 1), (1, 1), (255, 1), (256, 2), (510, 2), (511, 3)])
    def test_splits_at_255_bytes(self, length, strings):
        assert txt_strings("a" * length).count('"') == 2 * strings

    def test_counts_bytes_and_not_letters(self):
        assert txt_strings("é" * 128).count('"') == 4

    @settings(max_examples=40)
    @given(st.text(max_size=300))
    def test_stays_printable_ascii_on_one_line(self, value):
        assert all(32 <= ord(character) < 127 for character in txt_strings(value))


class TestZoneText:
    def test_is_a_zone_file(self):
        records = (
            Record("", "MX", ("10 mx.pack.example.",)),
            Record("", "TXT", ("v=spf1 -all", 'avec "guillemets" ; et \\')),
            Record("pm1._domainkey", "TXT", ("v=DKIM1; k=rsa; p=" + "A" * 392,)),
            Record("", "CAA", ('0 issue "letsencrypt.org"', '0 issuewild ";"')),
            Record("_imaps._tcp", "SRV", ("0 1 993 mail.pack.example.",), 300),
        )
        read = dns.zone.from_text(zone_text(Zone("essai.fr", records)), "essai.fr.", check_origin=False)
        assert sum(len(rdataset) for _name, rdataset in read.iterate_rdatasets()) == 7
        key = read.get_rdataset("pm1._domainkey", "TXT")
        assert b"".join(key[0].strings).endswith(b"A" * 392)
        assert read.get_rdataset("_imaps._tcp", "SRV").ttl == 300
        assert read.get_rdataset("@", "MX").ttl == DEFAULT_TTL

    def test_the_order_does_not_depend_on_the_wish_s(self):
        records = tuple(Record(name, "A", ("192.0.2.1",)) for name in ("b", "a", ""))
        assert zone_text(Zone("x.fr", records)) == zone_text(Zone("x.fr", records[::-1]))
