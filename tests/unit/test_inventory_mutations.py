# SPDX-License-Identifier: GPL-3.0-or-later
"""More than two hundred broken inventories: each gives one clear error with its file and line, and touches nothing."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from inventory_samples import OEUF, RICH, RIENCOURT, make_pack

from packmairie.model.problem import PackmairieError
from packmairie.operations import deploy as deploying
from packmairie.operations import plan as planning
from packmairie.operations.deploy import deploy_pack
from packmairie.operations.plan import plan_pack

PAIR = re.compile(r'^(?P<head>\s*(?:- )?"?[a-z_]+"?: )(?P<value>[^\n>]+)$')
LINES = RICH.splitlines()
PAIRS = [number for number, line in enumerate(LINES) if PAIR.match(line)]
TEXTS = [number for number in PAIRS if '"' in LINES[number].split(": ", 1)[1]]
INJECTIONS = (
    "{{ lookup('pipe', 'touch /tmp/pris') }}",
    "a$(touch /tmp/pris)",
    "a`touch /tmp/pris`",
    "x\n@ IN MX 10 pirate.example.",
    "{% for a in b %}",
    "${HOME}",
    "x\u2028y",
    "\u202egnp",
)
Mutation = Callable[[Path], int | None]
"""Given the pack's folder, break one thing in it; return the line to name, None where a file as a whole is wrong."""


def place(folder: Path, name: str = RIENCOURT) -> Path:
    return folder / ("pack.yml" if name == "pack.yml" else f"communes/{name}")


def rewrite(text: str | bytes, line: int | None, name: str = RIENCOURT) -> Mutation:
    def mutate(folder: Path) -> int | None:
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        place(folder, name).write_bytes(data)
        return line

    return mutate


def with_line(number: int, text: str) -> Mutation:
    return rewrite("\n".join([*LINES[:number], text, *LINES[number + 1 :]]) + "\n", number + 1)


def head(number: int) -> str:
    found = PAIR.match(LINES[number])
    assert found
    return found["head"]


def in_pack_file(before: str, after: str) -> Mutation:
    def mutate(folder: Path) -> int | None:
        text = place(folder, "pack.yml").read_text(encoding="utf-8")
        assert text.count(before) == 1, before
        place(folder, "pack.yml").write_text(text.replace(before, after), encoding="utf-8")
        return text[: text.index(before)].count("\n") + after[: len(after) - len(after.lstrip("\n"))].count("\n") + 1

    return mutate


def replaced(before: str, after: str, *, below: int = 0) -> Mutation:
    """Return the sample with a text replaced, wrong at the line where it begins (or some lines below)."""
    assert RICH.count(before) == 1, before
    return rewrite(RICH.replace(before, after), RICH[: RICH.index(before)].count("\n") + 1 + below)


def linked(target: str) -> Mutation:
    def mutate(folder: Path) -> int | None:
        place(folder).unlink()
        place(folder).symlink_to(target)
        return None

    return mutate


def fifo(folder: Path) -> None:
    place(folder).unlink()
    os.mkfifo(place(folder))


def stranger(name: str) -> Mutation:
    def mutate(folder: Path) -> int | None:
        place(folder, name).write_text("insee: 1\n", encoding="utf-8")
        return None

    return mutate


def twin(before: str, after: str, name: str = OEUF) -> Mutation:
    """Make a second commune's file that takes something of the first's."""

    def mutate(folder: Path) -> int | None:
        text = place(folder, name).read_text(encoding="utf-8")
        found = re.search(before, text, re.MULTILINE)
        assert found, before
        place(folder, name).write_text(text.replace(found.group(), after), encoding="utf-8")
        return text[: found.start()].count("\n") + 1

    return mutate


def below(mutation: Mutation) -> Mutation:
    """Return a mutation that shows on the line after: a SIRET is judged by the SIREN that it begins with."""
    return lambda folder: (mutation(folder) or 0) + 1


def taken(before: str, after: str) -> Mutation:
    """Return a mutation of the second commune that is told of the first: the line of its domain."""

    def mutate(folder: Path) -> int | None:
        twin(before, after)(folder)
        return RICH[: RICH.index(f"  {after}")].count("\n") + 1

    return mutate


def copied(folder: Path) -> int:
    text = place(folder).read_text(encoding="utf-8")
    place(folder, "62708-copie.yml").write_text(text, encoding="utf-8")
    return 1


def deep(depth: int) -> str:
    return "[" * depth + "]" * depth


LAUGHS = "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\n"
NAME = next(number for number, line in enumerate(LINES) if line.startswith("nom: "))


def mutations() -> Iterator[tuple[str, str, Mutation]]:
    """Yield (what, file, mutation)."""
    for number in PAIRS:
        key = f"{number + 1} {head(number).strip()}"
        yield f"a mapping at {key}", RIENCOURT, with_line(number, head(number) + "{inconnue: 1}")
        yield f"a list of lists at {key}", RIENCOURT, with_line(number, head(number) + "[[1]]")
    for turn, number in enumerate(TEXTS):
        text = INJECTIONS[turn % len(INJECTIONS)]
        value = json.dumps([text] if "[" in LINES[number] else text)
        yield f"injection {turn} at {number + 1}", RIENCOURT, with_line(number, head(number) + value)
    for text in INJECTIONS:
        yield f"injection in the name {text!a}", RIENCOURT, with_line(NAME, f"nom: {json.dumps(text)}")
        changed = in_pack_file('\nnom: "Essai"', f"\nnom: {json.dumps(text)}")
        yield f"injection in pack.yml {text!a}", "pack.yml", changed
    for number in range(0, 40, 4):
        yield f"tab at {number + 1}", RIENCOURT, with_line(number, "\t" + LINES[number])
    for number in [n for n in PAIRS if not LINES[n].startswith((" ", "-"))]:
        line = LINES[number]
        doubled = "\n".join([*LINES[: number + 1], line, *LINES[number + 1 :]]) + "\n"
        yield f"key twice at {number + 1}", RIENCOURT, rewrite(doubled, number + 2)
    for encoding in ("latin-1", "cp1252", "cp437"):
        yield encoding, RIENCOURT, rewrite(RICH.encode(encoding, "replace"), NAME + 1)
    yield "utf-16", RIENCOURT, rewrite(RICH.encode("utf-16"), 1)
    yield "binary", RIENCOURT, rewrite(bytes(range(255, -1, -1)) * 4, 1)
    yield "zero octets", RIENCOURT, rewrite(b"\0" * 100, 1)
    yield "empty", RIENCOURT, rewrite("", 1)
    yield "a list", RIENCOURT, rewrite("- a\n- b\n", 1)
    yield "a text", RIENCOURT, rewrite("bonjour\n", 1)
    yield "two documents", RIENCOURT, rewrite(RICH + "---\n" + RICH, len(LINES) + 1)
    yield "billion laughs", RIENCOURT, rewrite(LAUGHS, 1)
    yield "an anchor", RIENCOURT, with_line(NAME, 'nom: &nom "Riencourt"')
    yield "an alias of nothing", RIENCOURT, with_line(NAME, "nom: *nom")
    yield "a merge key", RIENCOURT, with_line(NAME, "<<: *nom")
    for tag in ("!!python/object/apply:os.system [id]", "!!binary YQ==", "!!str a", "!vault a", "!!set {a}"):
        yield f"tag {tag}", RIENCOURT, with_line(NAME, f"nom: {tag}")
    for depth in (13, 100, 5000, 100_000):
        yield f"nested {depth}", RIENCOURT, with_line(NAME, f"nom: {deep(depth)}")
    yield "a huge file", RIENCOURT, rewrite(RICH + "#" + "x" * 300_000, None)
    yield "a huge file of lines", RIENCOURT, rewrite(RICH + "# x\n" * 100_000, None)
    yield "a huge pack file", "pack.yml", rewrite("#" * 300_000, None, "pack.yml")
    yield "a very long name", RIENCOURT, with_line(NAME, f'nom: "{"x" * 5000}"')
    yield "not closed", RIENCOURT, rewrite(RICH.replace('"Riencourt-lès-Bapaume"', '"Riencourt', 1), None)
    for target in ("/etc/passwd", "/dev/zero", "/", "nulle-part.yml", RIENCOURT, "../../../dehors.yml"):
        yield f"link to {target}", RIENCOURT, linked(target)
    yield "a fifo", RIENCOURT, fifo  # type: ignore[misc]
    for name in ("62708.yaml", "notes.txt", "62633-double.yml.bak"):
        yield f"stranger {name}", name, stranger(name)
    yield "one code in two files", RIENCOURT, copied
    yield "a domain of another", RIENCOURT, taken(r'nom: "?oeuf-en-ternois.fr"?', 'nom: "riencourt-les-bapaume.fr"')
    yield "a siren of another", OEUF, below(twin(r"^siren: .*$", 'siren: "216207084"'))
    yield "a code of another", OEUF, twin(r"^insee: .*$", 'insee: "62708"')
    yield "a code unknown", OEUF, twin(r"^insee: .*$", 'insee: "62999"')
    agent = '  - identifiant: "secretariat"\n    nom: "Secrétariat"\n    quota_mo: 500\n'
    yield "an agent twice", RIENCOURT, replaced(agent, agent + agent, below=-1)
    yield "an alias that is a box", RIENCOURT, replaced('"mairie": ["contact"]', '"secretariat": ["contact"]')
    yield "an alias to nobody", RIENCOURT, replaced('"mairie": ["contact"]', '"mairie": ["personne"]')
    yield "octal", RIENCOURT, replaced("population: 33", "population: 033")
    yield "a date that is none", RIENCOURT, replaced("depuis: 2026-01-15", "depuis: 2026-02-30")
    yield "not a number", RIENCOURT, replaced("latitude: 50.088", "latitude: .nan")
    yield "infinite", RIENCOURT, replaced("latitude: 50.088", "latitude: .inf")
    yield "far north", RIENCOURT, replaced("latitude: 50.088", "latitude: 91")
    yield "negative", RIENCOURT, replaced("population: 33", "population: -1")
    yield "code as number", RIENCOURT, replaced('insee: "62708"', "insee: 0x10")
    yield "unknown key", RIENCOURT, replaced("population: 33", "habitants: 1\npopulation: 33")
    yield "a space in a domain", RIENCOURT, replaced('nom: "riencourt-les-bapaume.fr"', 'nom: "riencourt les.fr"')
    yield "a dash first", RIENCOURT, replaced('nom: "riencourt-les-bapaume.fr"', 'nom: "-rm.fr"')
    yield "a path in a login", RIENCOURT, replaced('"secretariat"', '"../../etc"')
    yield "an option in a login", RIENCOURT, replaced('"secretariat"', '"-rf"')
    yield "spf that passes all", RIENCOURT, replaced('"include:spf.exemple.fr"', '"+all"')
    yield "a script address", RIENCOURT, replaced('"https://www.exemple.fr/salle"', '"javascript:alert(1)"')
    yield (
        "a pack without a platform",
        "pack.yml",
        rewrite("nom: Essai\noperateur: {nom: a, courriel: a@b.fr}\n", 1, "pack.yml"),
    )


CASES = list(mutations())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = make_pack(tmp_path / "pack")
    place(made).write_text(RICH, encoding="utf-8")
    (tmp_path / "dehors.yml").write_text(RICH, encoding="utf-8")

    def touched(*_given: Any, **_options: Any) -> None:
        raise AssertionError("a host was about to be touched")

    for module in (deploying, planning):
        monkeypatch.setattr(module, "run_playbook", touched)
    monkeypatch.setattr(deploying, "generate_secrets", touched)
    return made


def snapshot(folder: Path) -> dict[str, str]:
    """Return what stands in a folder, links not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = str(path.readlink())
        elif path.is_file():
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def test_there_are_two_hundred_of_them() -> None:
    assert len(CASES) >= 200
    assert len({name for name, _file, _mutation in CASES}) == len(CASES)


def test_the_pack_is_sound_without_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="about to be touched"):
        deploy_pack(folder, runs=folder.parent / "runs")


SEVERAL = ("one code in two files", "a code of another")
"""Taking the code of another commune is wrong at every line that the register contradicts, and in both files."""


@pytest.mark.parametrize(
    ("file", "mutation", "several"),
    [(file, mutation, name in SEVERAL) for name, file, mutation in CASES],
    ids=[ascii(case[0]) for case in CASES],
)
def test_one_clear_error_and_nothing_touched(folder: Path, file: str, mutation: Mutation, several: bool) -> None:
    line = mutation(folder)
    before = snapshot(folder.parent)
    for work in (lambda: deploy_pack(folder, runs=folder.parent / "runs"), lambda: plan_pack(folder)):
        with pytest.raises(PackmairieError) as raised:
            work()
        problem, *others = raised.value.problems
        assert not others or several
        shown = re.fullmatch(rf".*/{re.escape(file)}(?::(\d+))?", problem.place)
        assert shown, problem
        if line is not None:
            assert shown.group(1) == str(line), problem
        assert problem.reason
        assert problem.remedy
        assert "\n" not in str(problem)
        assert len(str(problem)) < 600
    assert snapshot(folder.parent) == before
    assert not Path("/tmp/pris").exists()
