"""Deliveries made by seed, always the same: many small files, deep folders, one huge file, a draw from a corpus."""

from __future__ import annotations

import argparse
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

PER_FOLDER = 500


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(any_: random.Random) -> bytes:
    side = any_.randint(2, 24)
    rows = b"".join(b"\0" + any_.randbytes(3 * side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _bmp(any_: random.Random) -> bytes:
    side = 4 * any_.randint(1, 8)
    data = any_.randbytes(3 * side * side)
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, len(data), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54) + info + data


def _wav(any_: random.Random) -> bytes:
    data = any_.randbytes(2 * any_.randint(50, 800))
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + form
        + b"data" + struct.pack("<I", len(data)) + data
    )  # fmt: skip


def _pdf(any_: random.Random) -> bytes:
    drawn = f"BT /F1 12 Tf 72 720 Td ({any_.getrandbits(64):x}) Tj ET".encode()
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(out)
    return out + b"xref\n0 6\n0000000000 65535 f \n" + table + tail


WORDS = ("văn", "bản", "quyết", "định", "số", "ngày", "tháng", "năm", "hồ", "sơ", "lưu", "trữ", "phường", "ủy", "ban")


def _words(any_: random.Random) -> str:
    return " ".join(any_.choices(WORDS, k=any_.randint(20, 300)))


def _text(any_: random.Random) -> bytes:
    return _words(any_).encode()


def _csv(any_: random.Random) -> bytes:
    return "\r\n".join(f"{n},{any_.random():.6f},{any_.choice('abc')}" for n in range(30)).encode()


def _xml(any_: random.Random) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<hồ-sơ>{_words(any_)}</hồ-sơ>\n'.encode()


def _html(any_: random.Random) -> bytes:
    return f"<!DOCTYPE html>\n<html><head><title>x</title></head><body><p>{_words(any_)}</p></body></html>".encode()


def _rtf(any_: random.Random) -> bytes:
    return b"{\\rtf1\\ansi\\deff0{\\fonttbl{\\f0 Arial;}}\\f0 %x\\par}" % any_.getrandbits(256)


def _bytes(any_: random.Random) -> bytes:
    return any_.randbytes(any_.randint(1, 4000))


KINDS: tuple[tuple[str, Callable[[random.Random], bytes]], ...] = (
    ("txt", _text), ("png", _png), ("csv", _csv), ("pdf", _pdf), ("xml", _xml),
    ("bmp", _bmp), ("html", _html), ("wav", _wav), ("rtf", _rtf), ("bin", _bytes),
)  # fmt: skip


def small(folder: Path, count: int, seed: str) -> None:
    """`count` small files of ten kinds in folders of 500; the same seed makes the same bytes."""
    for number in range(count):
        ending, make = KINDS[number % len(KINDS)]
        target = folder if count <= PER_FOLDER else folder / f"hồ-sơ-{number // PER_FOLDER:04d}"
        if number % PER_FOLDER == 0:
            target.mkdir(parents=True, exist_ok=True)
        (target / f"tệp-{number:06d}.{ending}").write_bytes(make(random.Random(f"{seed}/{number}")))


def levels(folder: Path, count: int, seed: str) -> None:
    """One text on each of `count` levels of folders."""
    for number in range(count):
        folder = folder / f"t{number}"
        folder.mkdir(parents=True)
        (folder / "x.txt").write_bytes(_text(random.Random(f"{seed}/{number}")))


def sparse(folder: Path, size: int, seed: str) -> None:
    """One file of `size` bytes that takes no room on the disk, between ten small ones."""
    small(folder, 10, seed)
    with (folder / "thưa.bin").open("wb") as file:
        file.truncate(size)


def mixed(folder: Path, corpus: Path, count: int, seed: str) -> None:
    """`count` files drawn from a corpus by seed, each under a name of its own."""
    found = sorted(p for p in corpus.rglob("*") if p.is_file() and not p.is_symlink())
    if not found:
        raise SystemExit(f"no file in {corpus}")
    any_ = random.Random(seed)
    for number in range(count):
        target = folder / f"{number // PER_FOLDER:04d}"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source := any_.choice(found), target / f"{number:06d}-{source.name}"[-120:])


def drawn(folder: Path, corpus: Path, count: int, seed: str) -> None:
    """`count` different files of a corpus drawn by seed, each where it lay; all of them when there are not so many."""
    found = sorted(p for p in corpus.rglob("*") if p.is_file() and not p.is_symlink())
    for source in random.Random(seed).sample(found, min(count, len(found))):
        target = folder / source.relative_to(corpus)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def deliver(given: argparse.Namespace, place: Path) -> list[Path]:
    """Make the delivery below `place`; returns its batches."""
    if given.batches > 1:
        each = given.each or max(1, given.files // given.batches)
        batches = [place / f"lô-{n:05d}" for n in range(given.batches)]
        for n, batch in enumerate(batches):
            small(batch, each, f"{given.seed}/{n}")
        return batches
    batch = place / "lô"
    batch.mkdir(parents=True)
    if given.sparse:
        sparse(batch, given.sparse, given.seed)
    elif given.levels:
        levels(batch, given.levels, given.seed)
    elif given.mixed:
        mixed(batch, Path(given.mixed[0]), int(given.mixed[1]), given.seed)
    else:
        small(batch, given.each or given.files, given.seed)
    return [batch]
