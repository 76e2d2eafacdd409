"""The delivery in which everything is wrong, and what Perenne says of each thing in it.

    python -m tests.badbatch FOLDER     lays it as FOLDER/bad, to be tried by hand; nothing in it grows then

`EXPECTED` is the promise: name → (how it ends, with which code). Names are as reports show them.
"""

from __future__ import annotations

import os
import random
import socket
import sys
import unicodedata
import zipfile
from pathlib import Path

from tasks.premis.model import Ending
from tasks.tools.job import COPIED_BYTES

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
HOSTILE, FORMATS = FIXTURES / "hostile", FIXTURES / "formats"
SPARSE_BYTES = COPIED_BYTES + (64 << 20)
"""More than a job is given as a copy."""
LONG = unicodedata.normalize("NFD", "Việt") * 23 + "Viet.pdf"
"""255 bytes of decomposed Vietnamese: the longest name that a file system takes."""
TWINS = tuple(unicodedata.normalize(form, "quyết định.txt") for form in ("NFC", "NFD"))
NOT_UTF8 = b"c\xf4ng v\xf4n.txt"  # Latin-1
GROWING = "đang-ghi.bin"
UNREADABLE = "không-đọc-được.txt"

COPIES = {
    "không-byte.pdf": "source-empty/trống.pdf",
    "cắt.pdf": "source-damaged/báo-cáo-bị-cắt.pdf",
    "cắt.tif": "source-damaged/quét-bị-cắt.tif",
    "cắt.docx": "source-damaged/bị-cắt.docx",
    "cắt.png": "source-damaged/ảnh-bị-cắt.png",
    "nhiễu.doc": "source-damaged/nhiễu.doc",
    "nhiễu.pdf": "source-damaged/nhiễu.pdf",
    "khóa.pdf": "source-encrypted/hợp-đồng-2011.pdf",
    "khóa.docx": "source-encrypted/mật-khẩu.docx",
    "khóa.odt": "source-encrypted/hồ-sơ-khóa.odt",
    "bom.zip": "bomb-suspected/phình-to.zip",
    "trèo.zip": "name-unsafe/trỏ-ra-ngoài.zip",
}
OTHER_ENDINGS = {
    "thật-ra-là-png.doc": "fmt-11/màu-8-bit.png",
    "thật-ra-là-docx.pdf": "fmt-412/quyết-định-147.docx",
    "thật-ra-là-pdf.tif": "fmt-18/bordereau.pdf",
}

DAMAGED, LOCKED = (Ending.FAILED, "source-damaged"), (Ending.HELD, "source-encrypted")
NO_FILE = (Ending.FAILED, "not-a-file")
EXPECTED: dict[str, tuple[Ending, str]] = {
    "không-byte.pdf": (Ending.FAILED, "source-empty"),
    **dict.fromkeys(("cắt.pdf", "cắt.tif", "cắt.docx", "cắt.png", "cắt.odt"), DAMAGED),
    **dict.fromkeys(("nhiễu.doc", "nhiễu.pdf"), (Ending.KEPT, "format-unknown")),
    **dict.fromkeys(("khóa.pdf", "khóa.docx", "khóa.odt"), LOCKED),
    **dict.fromkeys(("bom.zip", "trèo.zip", "lồng.zip"), (Ending.KEPT, "no-rule")),
    **dict.fromkeys(("ống", "ổ-cắm", "liên-kết-hỏng", "liên-kết-hệ-thống", "liên-kết-thư-mục"), NO_FILE),
    UNREADABLE: (Ending.FAILED, "source-unreadable"),
    GROWING: (Ending.WAITING, "source-changing"),
    "thưa.pdf": DAMAGED,
}
"""What is not named here is done and in good order: wrong endings, strange names, twins, `A` and `a`."""


def lay(folder: Path) -> Path:
    """Make the delivery `folder`; all of it but the file that grows, which `grow` goes on with."""
    folder.mkdir(parents=True)
    for name, source in COPIES.items():
        (folder / name).write_bytes((HOSTILE / source).read_bytes())
    for name, source in OTHER_ENDINGS.items():
        (folder / name).write_bytes((FORMATS / source).read_bytes())
    whole = (FORMATS / "fmt-291" / "biên-bản.odt").read_bytes()
    (folder / "cắt.odt").write_bytes(whole[: len(whole) * 2 // 3])
    _strange_names(folder)
    _no_files(folder)
    with zipfile.ZipFile(folder / "lồng.zip", "w") as outer:
        outer.write(HOSTILE / "bomb-suspected" / "phình-to.zip", "bên-trong.zip")
    with (folder / "thưa.pdf").open("wb") as sparse:
        sparse.write(b"%PDF-1.4\n")
        sparse.truncate(SPARSE_BYTES)
    (folder / UNREADABLE).write_text("Không ai được đọc.\n", encoding="utf-8")
    (folder / UNREADABLE).chmod(0)
    (folder / GROWING).write_bytes(random.Random(1).randbytes(8 << 20))
    return folder


def grow(folder: Path) -> None:
    """Somebody goes on writing."""
    with (folder / GROWING).open("ab") as growing:
        growing.write(bytes(4096))


def _strange_names(folder: Path) -> None:
    for name in ("dòng\nmới.txt", LONG[:-3] + "txt", *TWINS, "A", "a"):
        (folder / name).write_text(f"Nội dung của {name!a}.\n", encoding="utf-8")
    Path(os.fsdecode(os.fsencode(folder) + b"/" + NOT_UTF8)).write_text("Tên tệp theo bảng mã cũ.\n", encoding="utf-8")


def _no_files(folder: Path) -> None:
    os.mkfifo(folder / "ống")
    here = os.open(folder, os.O_RDONLY)
    before = os.open(".", os.O_RDONLY)
    try:
        os.fchdir(here)  # the name of a socket may have 108 bytes with its folders
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("ổ-cắm")
    finally:
        os.fchdir(before)
        os.close(here)
        os.close(before)
    (folder / "liên-kết-hỏng").symlink_to("không-có")
    (folder / "liên-kết-hệ-thống").symlink_to("/etc/passwd")
    (folder / "liên-kết-thư-mục").symlink_to("/etc")


if __name__ == "__main__":
    print(lay(Path(sys.argv[1]) / "bad"))
