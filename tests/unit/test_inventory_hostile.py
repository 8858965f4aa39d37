# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories that somebody broke, by mistake or on purpose: always a PackmairieError, never a traceback."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inventory_samples import RICH, RIENCOURT, make_pack

from packmairie.inventory.loader import load_pack
from packmairie.model.pack import Pack
from packmairie.model.problem import PackmairieError

PAIR = re.compile(r'^(?P<head>\s*(?:- )?"?[a-z_]+"?: )(?P<value>[^\n>]+)$')
PLACE = re.compile(r".+\.yml(:[1-9][0-9]*)?")
LINES = RICH.splitlines()
PAIRS = [number for number, line in enumerate(LINES) if PAIR.match(line)]
TEXTS = [number for number in PAIRS if '"' in LINES[number].split(": ", 1)[1]]
INJECTIONS = (
    "x\ny: z",
    "x\r\n.",
    "x\u2028y",
    "x\0y",
    "\u202egnp",
    "{{ lookup('pipe', 'id') }}",
    "{% for a in b %}",
    "{# rien #}",
    "a; $(id)",
    "a`id`",
    "${HOME}",
)
DANGEROUS_BUT_TEXT = (
    "; rm -rf /",
    "| id",
    "&& id",
    "' OR 1=1 --",
    '"',
    "\\",
    "../../etc/passwd",
    "<script>",
    "%n%s",
    "a" * 5000,
)


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    return make_pack(tmp_path_factory.mktemp("hostile") / "pack", "62708")


def load_with(pack: Path, text: str | bytes) -> Pack | PackmairieError:
    """Load the pack with this text as one of its communes; whatever it is, only two things may happen."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    (pack / "communes" / RIENCOURT).write_bytes(data)
    result: Pack | PackmairieError
    try:
        result = load_pack(pack)
    except PackmairieError as error:
        result = error
    for problem in getattr(result, "problems", ()):
        assert PLACE.fullmatch(problem.place)
        assert problem.reason
        assert problem.remedy
        assert "\n" not in str(problem)
    return result


def with_value(number: int, value: str) -> str:
    """Return the sample file with another YAML value at a line."""
    changed = list(LINES)
    head = PAIR.match(LINES[number])
    assert head
    changed[number] = head["head"] + value
    return "\n".join(changed) + "\n"


def test_the_sample_is_sound_and_wholly_covered(pack):
    assert isinstance(load_with(pack, RICH), Pack)
    assert len(PAIRS) >= 28
    assert len(TEXTS) >= 16


@pytest.mark.parametrize("text", INJECTIONS, ids=ascii)
def test_injection_in_every_text(pack, text):
    for number in TEXTS:
        value = json.dumps([text] if "[" in LINES[number] else text)
        error = load_with(pack, with_value(number, value))
        assert isinstance(error, PackmairieError), LINES[number]
        assert f"{RIENCOURT}:{number + 1}" in str(error)


@pytest.mark.parametrize("text", DANGEROUS_BUT_TEXT, ids=lambda text: ascii(text[:20]))
def test_dangerous_text_is_refused_or_kept_as_it_is(pack, text):
    for number in TEXTS:
        value = json.dumps([text] if "[" in LINES[number] else text)
        result = load_with(pack, with_value(number, value))
        if isinstance(result, PackmairieError):
            assert f"{RIENCOURT}:{number + 1}" in str(result)
        else:
            assert json.dumps(text, ensure_ascii=False) in result.commune("62708").model_dump_json(), LINES[number]


@pytest.mark.parametrize("text", INJECTIONS, ids=ascii)
def test_injection_in_the_pack_file(tmp_path, text):
    pack = make_pack(tmp_path / "pack")
    path = pack / "pack.yml"
    sound = path.read_text(encoding="utf-8")
    lines = sound.splitlines()
    for number, line in enumerate(lines):
        head = PAIR.match(line)
        if not head or line.lstrip().startswith(("#", "ansible_")):
            continue
        changed = [*lines]
        changed[number] = head["head"] + json.dumps([text] if "[" in line else text)
        path.write_text("\n".join(changed) + "\n", encoding="utf-8")
        with pytest.raises(PackmairieError, match=rf"pack.yml:{number + 1}\b"):
            load_pack(pack)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
).map(lambda value: json.dumps(value, ensure_ascii=False))
EMPTY_OR_TRAP = (
    "",
    "~",
    "no",
    "oui",
    "0123",
    "1_0",
    ".inf",
    "-.nan",
    "1e999",
    "9" * 60,
    "2026-02-30",
    "2026-11-24 10:00",
)
SYNTAX = (
    "- a",
    "? b",
    "[",
    "{a: &x 1, b: *x}",
    "!!binary YQ==",
    "'",
    '"',
    "@x",
    "`x`",
    "%x",
    "a: b: c",
    "# rien",
    "\tx",
)
STRANGE = ("é", "\u00a0", "\ud800", "[key]", "{'[key]': 1}", "{'a[b': 1}")
WORDS = st.sampled_from((*EMPTY_OR_TRAP, *SYNTAX, *STRANGE))


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(number=st.sampled_from(PAIRS), value=JUNK | WORDS)
def test_typed_junk(pack, number, value):
    load_with(pack, with_value(number, value))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_broken_lines(pack, data):
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "repeat", "indent", "insert", "cut", "swap"])):
            case "drop":
                del lines[number]
            case "repeat":
                lines.insert(number, lines[number])
            case "indent":
                lines[number] = data.draw(st.sampled_from([" ", "  ", "\t", "- "])) + lines[number]
            case "insert":
                position = data.draw(st.integers(0, len(lines[number])))
                lines[number] = lines[number][:position] + data.draw(st.characters()) + lines[number][position:]
            case "cut":
                lines[number] = lines[number][: data.draw(st.integers(0, len(lines[number])))]
            case "swap":
                lines[number], lines[-1] = lines[-1], lines[number]
    load_with(pack, "\n".join(lines) + "\n")


@settings(max_examples=40, deadline=None)
@given(encoding=st.sampled_from(["latin-1", "cp1252", "utf-16", "utf-8-sig", "cp437"]), keep=st.integers(0, len(RICH)))
def test_encodings_and_truncation(pack, encoding, keep):
    load_with(pack, RICH[:keep].encode(encoding, "replace"))


@pytest.mark.parametrize("key", ["[key]", "a[b", "lax-or-strict[x", "", "0", "insee ", "nom\\n"])
def test_strange_unknown_keys(pack, key):
    for before, after in (("epci:", f'"{key}": 1\nepci:'), ("epci:", f'epci:\n  "{key}": 1')):
        error = load_with(pack, RICH.replace(before, after, 1))
        assert isinstance(error, PackmairieError)
        assert re.search(rf"{RIENCOURT}:\d+", str(error))
