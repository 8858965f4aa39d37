# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing: known answers, wrong keys, moved and altered envelopes, cut files, codes as people type them."""

import hashlib
import subprocess
import sys

import nacl.bindings as sodium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packmairie.portail.signalement.scellement import chaine, code, derivation, enveloppe, flux, secours, signature
from packmairie.portail.signalement.scellement.enveloppe import Unreadable

PLACE = "r1|faits|1"


def test_known_answers():
    """The primitives are those of their specifications (vectors of the IETF drafts and RFC)."""
    # draft-irtf-cfrg-xchacha-03, A.3.1
    key = bytes(range(0x80, 0xA0))
    nonce = bytes(range(0x40, 0x58))
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    bound = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(text, bound, nonce, key)
    assert sealed[-16:].hex() == "c0875924c1c7987947deafd8780acf49"
    assert sealed[:16].hex() == "bd6d179d3e83d43b9576579493c0e939"
    # RFC 8032, 7.1, test 2
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    made = signature.sign(b"\x72", seed)
    assert made.hex().startswith("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da")


def test_derivation_agrees_with_another_implementation():
    """argon2id by libsodium and by argon2-cffi give the same key."""
    from argon2.low_level import Type, hash_secret_raw

    cost = derivation.Cost(2, 256 * 1024)
    ours = derivation.derive("0123456789ABCDEF", b"s" * 16, cost)
    other = hash_secret_raw(b"0123456789ABCDEF", b"s" * 16, 2, 256, 1, 32, Type.ID)
    assert ours == other
    assert derivation.read_cost(str(cost)) == cost
    assert derivation.branch(ours, "a") != derivation.branch(ours, "b")


@given(st.binary(max_size=5000), st.text(max_size=60))
def test_round_trip(text, place):
    pair = enveloppe.new_pair()
    assert enveloppe.unseal(enveloppe.seal(text, pair.public, place), pair.private, place) == text


@given(st.data())
@settings(max_examples=60)
def test_an_altered_envelope_never_opens(data):
    pair = enveloppe.new_pair()
    sealed = bytearray(enveloppe.seal(b"un fait", pair.public, PLACE))
    where = data.draw(st.integers(0, len(sealed) - 1))
    sealed[where] ^= data.draw(st.integers(1, 255))
    # The top bit of an X25519 point is ignored by its definition, yet the sealed box hashes the point itself.
    with pytest.raises(Unreadable):
        enveloppe.unseal(bytes(sealed), pair.private, PLACE)


@pytest.mark.parametrize("other", ["r2|faits|1", "r1|identite|1", "r1|faits|2", "r1|faits|1 ", ""])
def test_a_moved_envelope_does_not_open(other):
    pair = enveloppe.new_pair()
    sealed = enveloppe.seal(b"un fait", pair.public, PLACE)
    with pytest.raises(Unreadable):
        enveloppe.unseal(sealed, pair.private, other)
    with pytest.raises(Unreadable):
        enveloppe.unseal(sealed, enveloppe.new_pair().private, PLACE)
    for cut in (0, 10, 80, 100, len(sealed) - 1):
        with pytest.raises(Unreadable):
            enveloppe.unseal(sealed[:cut], pair.private, PLACE)


@given(st.integers(0, 2**26))
def test_padding_hides_the_length_at_small_cost(length):
    padded = enveloppe.padded_length(length)
    assert padded >= length
    assert padded <= max(enveloppe.SMALLEST, length * 1.12 + 1)


def test_short_texts_have_one_length():
    pair = enveloppe.new_pair()
    lengths = {len(enveloppe.seal(b"x" * n, pair.public, PLACE)) for n in range(0, 1000, 37)}
    assert len(lengths) == 1


@given(st.lists(st.binary(max_size=150_000), max_size=5))
@settings(max_examples=20, deadline=None)
def test_files_round_trip(parts):
    sealer = flux.Sealer()
    pieces = [piece for part in parts for piece in sealer.add(part)] + [sealer.end()]
    assert b"".join(flux.open_pieces(pieces, sealer.key)) == b"".join(parts)


def test_a_file_cannot_be_cut_mixed_or_lengthened():
    sealer = flux.Sealer()
    pieces = [*sealer.add(b"a" * 200_000), sealer.end()]
    wrong = [
        pieces[:-1],
        pieces[1:],
        [pieces[0], pieces[2], pieces[1], pieces[3]],
        [*pieces, pieces[-1]],
        [],
        [pieces[0][:-1] + b"\0", *pieces[1:]],
        [b"", *pieces],
    ]
    for series in wrong:
        with pytest.raises(Unreadable):
            list(flux.open_pieces(series, sealer.key))
    with pytest.raises(Unreadable):
        list(flux.open_pieces(pieces, b"k" * 32))


def test_codes_as_people_type_them():
    made = code.draw(code.CODE_LENGTH)
    assert len(made) * 5 == 80
    shown = code.groups(made)
    for typed in (
        shown,
        shown.lower(),
        f" {shown.replace('-', ' ')} ",
        made,
        shown.replace("0", "o").replace("1", "l"),
    ):
        assert code.read(typed, code.CODE_LENGTH) == made
    for typed in ("", made[:-1], made + "A", "U" * 16, "é" * 16, "A" * 10_000):
        assert code.read(typed, code.CODE_LENGTH) is None


def test_rescue_copies_and_exports_open_with_age():
    identity, recipient = secours.new_rescue()
    assert secours.is_recipient(recipient)
    assert not secours.is_recipient("age1faux")
    assert not secours.is_recipient(identity)
    assert secours.open_with_identity(secours.seal_to_recipient(b"cle", recipient), identity + "\n") == b"cle"
    with pytest.raises(Unreadable):
        secours.open_with_identity(secours.seal_to_recipient(b"cle", recipient), secours.new_rescue()[0])
    with pytest.raises(Unreadable):
        secours.open_with_identity(b"ordures", identity)


def test_signatures():
    seed, public = signature.new_seed()
    statement = signature.member_statement(1, 2, b"k" * 32, True)
    made = signature.sign(statement, seed)
    assert signature.verifies(statement, made, public)
    assert not signature.verifies(signature.member_statement(1, 2, b"k" * 32, False), made, public)
    assert not signature.verifies(statement, made, signature.new_seed()[1])
    assert not signature.verifies(statement, b"", public)


def links(count):
    made, previous = [], chaine.START
    for number in range(1, count + 1):
        fields = (number, f"2026-11-24T10:00:0{number}", "m1", "lire", "r1", "", previous)
        previous = chaine.digest(*fields)
        made.append(chaine.Link(*fields, previous))
    return made


def test_the_log_tells_what_was_changed_or_removed():
    from dataclasses import replace

    whole = links(5)
    assert chaine.first_fault(whole) is None
    assert chaine.first_fault([]) is None
    assert chaine.first_fault(whole[1:]) == 1
    assert chaine.first_fault([*whole[:2], *whole[3:]]) == 3
    assert chaine.first_fault([*whole[:2], replace(whole[2], actor="m2"), *whole[3:]]) == 3
    forged = replace(whole[2], actor="m2")
    forged = replace(forged, digest=chaine.digest(3, forged.when, "m2", "lire", "r1", "", forged.previous))
    assert chaine.first_fault([*whole[:2], forged, *whole[3:]]) == 4
    assert hashlib.sha256(b"").hexdigest() != whole[0].digest


def test_sealing_does_not_import_django():
    text = "import sys, packmairie.portail.signalement.scellement.secours as s; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], check=False).returncode == 0
