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


@pytest.mark.parametrize(
    ("head", "puid"),
    [
        (b"%PDF-1.4\n", "fmt/18"), (b"%PDF-1.7\r", "fmt/276"), (b"%PDF-2.0\n", "fmt/1129"),
        (b"\x89PNG\r\n\x1a\n", "fmt/11"), (b"\xff\xd8\xff\xe0", "fmt/41"), (b"GIF89a", "fmt/4"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("weak", [UNKNOWN, Identification("fmt/999", basis=Basis.EXTENSION)])
def test_what_no_signature_knows_is_taken_for_what_it_begins_as_and_says_so(weak, head, puid):
    choice = choose(weak, FidoAnswer((), Basis.NOTHING, head=head))
    assert (choice.identification.puid, choice.identification.basis) == (puid, Basis.SIGNATURE)
    assert "the beginning alone" in choice.identification.warning
    assert choice.siegfried is weak


@pytest.mark.parametrize("head", [b"", b"%PDF", b"%PDF-3.0", b"PDF-1.4", b"\xff\xd8", b"GIF88a"])
def test_a_beginning_that_says_nothing_changes_nothing(head):
    assert choose(UNKNOWN, FidoAnswer((), Basis.NOTHING, head=head)).identification is UNKNOWN


@pytest.mark.parametrize("known", [PDF, TEXT])
def test_a_beginning_never_outweighs_what_was_read_in_the_bytes(known):
    png = FidoAnswer((), Basis.NOTHING, head=b"\x89PNG\r\n\x1a\n")
    assert choose(known, png).identification is known


ZIP = Identification("x-fmt/263", basis=Basis.SIGNATURE)
LOCAL = b"PK\x03\x04" + bytes(26)
OPENDOCUMENT = b"application/vnd.oasis.opendocument."


@pytest.mark.parametrize(
    ("kind", "puid"), [(b"text", "fmt/291"), (b"spreadsheet", "fmt/295"), (b"presentation", "fmt/293")]
)
def test_a_zip_that_begins_as_an_opendocument_is_one_also_when_it_is_locked(kind, puid):
    head = LOCAL + b"mimetype" + OPENDOCUMENT + kind + b"PK\x03\x04"
    assert choose(ZIP, FidoAnswer((), Basis.SIGNATURE, head=head)).identification.puid == puid


@pytest.mark.parametrize(
    "inside", [b"mimetype" + OPENDOCUMENT + b"text-template", b"a.txt" + OPENDOCUMENT + b"text", b""]
)
def test_another_zip_stays_a_zip(inside):
    assert choose(ZIP, FidoAnswer((), Basis.SIGNATURE, head=LOCAL + inside)).identification is ZIP
