from __future__ import annotations

from pathlib import Path

from tests.tasks.sealed.pdfa.pdfs import TEXT, repaired

ILL = f"BT /F1 12 Tf 20 100 Td ({TEXT}) Tj ET foo 99999999999 0 m 0 0 l S /Odd ri".encode("ascii")


def test_undefined_operators_and_huge_numbers_go_in_pass_2_and_are_told(tmp_path: Path) -> None:
    result = repaired(tmp_path, content=ILL, clauses=["6.2.2", "6.1.13"])
    with result.pdf as pdf:
        content = pdf.pages[0].Contents.read_bytes()
    assert b"foo" not in content
    assert b"/Odd" not in content
    assert b"2147483647" in content
    assert result.lines("6.2.2", "loss") == ["undefined operator"]
    assert result.lines("6.1.13", "guess")
    assert result.same_text()


def test_pass_1_leaves_them(tmp_path: Path) -> None:
    with repaired(tmp_path, content=ILL).pdf as pdf:
        assert pdf.pages[0].Contents.read_bytes() == ILL


def test_smoothing_of_an_inline_picture_goes_without_touching_its_samples(tmp_path: Path) -> None:
    picture = b"q 10 0 0 10 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 /I true ID \x7f EI Q"
    result = repaired(tmp_path, content=picture, clauses=["6.2.8"])
    with result.pdf as pdf:
        assert pdf.pages[0].Contents.read_bytes() == picture.replace(b"/I true", b"")
