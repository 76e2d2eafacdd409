"""Siegfried decides; FIDO agrees or not."""

from __future__ import annotations

import pytest

from tasks.premis.model import Basis, Identification
from tasks.pronom.choose import choose
from tasks.pronom.fido import FidoAnswer

PDF = Identification("fmt/18", basis=Basis.SIGNATURE)
TEXT = Identification("x-fmt/111", basis=Basis.TEXT)
UNKNOWN = Identification(None, basis=Basis.NOTHING)


def fido(basis: Basis, *puids: str) -> FidoAnswer:
    return FidoAnswer(puids, basis)


@pytest.mark.parametrize("answer", [fido(Basis.SIGNATURE, "fmt/20"), fido(Basis.NOTHING), fido(Basis.ERROR)])
def test_siegfrieds_answer_counts_whatever_fido_says_and_both_are_kept(answer):
    choice = choose(PDF, answer)
    assert (choice.identification, choice.siegfried, choice.fido) == (PDF, PDF, answer)


@pytest.mark.parametrize(
    ("siegfried", "answer", "agreement"),
    [
        (PDF, fido(Basis.SIGNATURE, "fmt/18"), True),
        (PDF, fido(Basis.SIGNATURE, "fmt/17", "fmt/18"), True),
        (PDF, fido(Basis.CONTAINER, "fmt/20"), False),
        (PDF, fido(Basis.EXTENSION, "fmt/18"), False),
        (PDF, fido(Basis.NOTHING), False),
        (PDF, fido(Basis.ERROR), False),
        (TEXT, fido(Basis.EXTENSION, "x-fmt/111", "fmt/1085"), True),
        (TEXT, fido(Basis.NOTHING), False),
        (UNKNOWN, fido(Basis.NOTHING), True),
        (UNKNOWN, fido(Basis.EXTENSION, "fmt/39"), True),
        (UNKNOWN, fido(Basis.SIGNATURE, "fmt/39"), False),
        (UNKNOWN, fido(Basis.ERROR), False),
        (Identification(None, basis=Basis.EMPTY), fido(Basis.EMPTY), True),
        (Identification(None, basis=Basis.ERROR), fido(Basis.NOTHING), False),
    ],
)
def test_they_agree_when_both_name_the_format_or_neither_any(siegfried, answer, agreement):
    assert choose(siegfried, answer).agreement is agreement
