"""Every English sentence that the sources may put into a detail is read back in Vietnamese and in French."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from tasks.premis import codes
from tasks.sip.batch import BatchRefused
from tasks.words import LANGUAGES, Language, detail, spoken
from tasks.words.catalogue import details
from tasks.words.details import GATHERING, _patterns
from tests.tasks.words.said import SAMPLE, is_sentence, said

OTHERS_WORDS = re.compile(r"""(OCRmyPDF|pypdf|img2pdf|PDFium|veraPDF|77): ?77|\w+ = "?77"?|77 \(77\)|77 77|77, 77""")
"""What holds nothing but names and the words of other programs."""


def unread(lang: str) -> list[str]:
    with spoken(lang):
        return [
            f"{place}  {text}"
            for place, text in said()
            if is_sentence(text) and not OTHERS_WORDS.fullmatch(text) and not known(text)
        ]


def known(text: str) -> bool:
    """Whether a row is made for this very sentence, or it holds one that is."""
    patterns = [pattern for key, _, pattern in _patterns() if key not in GATHERING]
    return any(pattern.fullmatch(text) for pattern in patterns) or detail(text) != text


def test_enough_is_found_in_the_sources() -> None:
    found = {text for _, text in said() if is_sentence(text)}
    assert len(found) > 250
    assert {"named and not there", f"{SAMPLE} is missing", "its list is damaged", "letter shapes"} <= found


@pytest.mark.parametrize("lang", ["vi", "fr"])
def test_every_sentence_that_the_sources_put_into_a_detail_is_read_back(lang: str) -> None:
    assert unread(lang) == []


MET = [errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ESTALE,
       errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EBUSY, errno.ENOTCONN, errno.ENXIO, errno.ENODEV, errno.EFBIG,
       errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
       errno.EAGAIN, errno.EINTR, errno.EUCLEAN, errno.EHOSTDOWN, errno.EREMOTEIO, errno.EBADMSG]  # fmt: skip


@pytest.mark.parametrize("lang", ["vi", "fr"])
def test_what_the_system_says_of_a_disk_or_file_is_read_back(lang: str) -> None:
    with spoken(lang):
        assert [os.strerror(number) for number in MET if detail(os.strerror(number)) == os.strerror(number)] == []


@pytest.mark.parametrize(
    ("value", "vi", "fr"),
    [
        ("quý-1.doc: asks for a password", "quý-1.doc: đòi mật khẩu", "quý-1.doc : demande un mot de passe"),
        ("memory: asks for a password", "memory: đòi mật khẩu", "memory : demande un mot de passe"),
        (
            "OCRmyPDF: sizes that cannot be (x)",
            "OCRmyPDF: kích thước không thể có (x)",
            "OCRmyPDF : tailles impossibles (x)",
        ),
        ("XFA form (1), transfer function (3)", "biểu mẫu XFA (1), hàm truyền (3)",
         "formulaire XFA (1), fonction de transfert (3)"),
        ("a link where only files may be", "có liên kết ở chỗ chỉ được có tệp",
         "un lien là où seuls des fichiers sont permis"),
        ("strange: words, of (another) program; so", "strange: words, of (another) program; so",
         "strange: words, of (another) program; so"),
        ("limit x is not known", "không biết giới hạn x", "la limite x est inconnue"),
        ("Write pdfa = {} or its thresholds.", "Ghi pdfa = {} hoặc các ngưỡng của nó.",
         "Écrivez pdfa = {} ou ses seuils."),
    ],
)  # fmt: skip
def test_a_detail_that_holds_others_is_read_back_part_by_part(value: str, vi: str, fr: str) -> None:
    told = {}
    for lang in LANGUAGES:
        with spoken(lang):
            told[lang] = detail(value)
    assert told == {"en": value, "vi": vi, "fr": fr}


def test_a_file_keeps_its_name_whatever_word_it_is() -> None:
    with spoken("vi"):
        assert codes.message("fixity-missing", {"path": "open files"}).endswith("đã mất: open files.")
        assert codes.message("no-permission", {"folder": "folder", "what": "Permission denied"}) == (
            "Perenne không được phép dùng folder: không có quyền."
        )


def test_a_row_of_details_reads_back_its_own_english() -> None:
    for key in details().keys() - set(GATHERING):
        for lang in LANGUAGES:
            with spoken(lang):
                assert detail(_filled(details()[key]["en"][1])) == _filled(details()[key][lang][1]), key


def _filled(form: str) -> str:
    return form.format_map(dict.fromkeys(re.findall(r"\{(\w+)\}", form), SAMPLE))


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        ("vi", ["2 lý do, lý do đầu: a/b: có 2 lần trong đó.", "a/b: có 2 lần trong đó"]),
        ("fr", ["Raisons : 2, la première : a/b : s'y trouve 2 fois.", "a/b : s'y trouve 2 fois"]),
    ],
)  # fmt: skip
def test_a_refused_delivery_tells_its_faults_in_the_language_and_records_them_in_english(
    lang: Language, told: list[str]
) -> None:
    faults = ["a/b: 2 times in it", "c: asks for a password"]
    with spoken(lang):
        refused = BatchRefused("archive-unfit", faults, count="2", first=faults[0])
    first, second, *_ = str(refused).splitlines()
    assert told[0] in first
    assert second == told[1]
    assert list(refused.faults) == faults
    assert refused.detail["first"] == faults[0]


@pytest.mark.parametrize("lang", ["vi", "fr"])
def test_what_a_picture_loses_on_its_way_into_a_tiff_is_read_back(lang: Language) -> None:
    raster = Path(codes.__file__).parents[1] / "sealed" / "raster"
    source = "".join(path.read_text(encoding="utf-8") for path in raster.glob("*.py"))
    lost = set(re.findall(r'lost\.append\("([^"{]+)"\)', source))
    assert len(lost) >= 6
    with spoken(lang):
        assert {name for name in lost if detail(name) == name} == set()
