"""ZIP and TAR deliveries: what is in them, and their files one by one. Nothing is believed, nothing is followed.

A listing says what the archive claims; `unpack` counts the bytes that really come and stops where they are more. Files
are written under numbers, so no name of the archive ever meets a file system here. Each is gone to at once, so that
many portions cost no more than one; a compressed tar has no places to go to, and is made plain first.

An archive that its disk does not give, or whose files ours does not take, is not a damaged one: each function answers
then with `{"unread": errno}` alone, and the caller looks whose disk it is.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, ParamSpec, TypeVar

from tasks.premis.model import Trouble
from tasks.sealed.packed import DAMAGE, Member, TooMuch, unread
from tasks.sealed.tars import Tar, unpacked
from tasks.sealed.zips import HEADS, Zip

LONGEST_NAME = 4096
"""Bytes. Of a longer name so many are told and one more, so that it is seen to be too long."""
FAULTS_TOLD = 100

_BLOCK = 1 << 20

P = ParamSpec("P")
R = TypeVar("R")


def _or_unread(function: Callable[P, R]) -> Callable[P, R | dict[str, int]]:
    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R | dict[str, int]:
        try:
            return function(*args, **kwargs)
        except OSError as error:
            if not unread(error):
                raise
            return {"unread": error.errno or 0}

    return called


@_or_unread
def members(name: str, told: str, most: int, files: int, names: int) -> dict[str, object]:
    """Write every member but the folders as a line of JSON, `[number, member]`, into the new file `told`.

    `cut` says of what there is more than allowed, "" when the listing is whole: "bytes" that a compressed archive
    unpacks to (`most`), "files" (folders count as well), or "names" (their bytes). `faults` is what the archive holds
    besides its members, `plain` what a compressed tar unpacks to as a whole, 0 for others. Raises Trouble
    "source-damaged".
    """
    try:
        with Path(told).open("x", encoding="ascii") as lines, _damaged(), _opened(name, most) as archive:
            listed = _bounded(archive.listed(), files, names)
            lines.writelines(json.dumps([number, asdict(member)]) + "\n" for number, member in listed)
            faults = list(itertools.islice(archive.faults(), FAULTS_TOLD))
            return {"cut": "", "faults": faults, "plain": archive.plain}
    except TooMuch as cut:
        return {"cut": cut.of, "faults": [], "plain": 0}


def _bounded(listed: Iterator[tuple[int, Member]], files: int, names: int) -> Iterator[tuple[int, Member]]:
    for number, member in listed:
        if number >= files:
            raise TooMuch("files")
        short = member.name[: 2 * (LONGEST_NAME + 1)]
        names -= len(short) // 2
        if names < 0:
            raise TooMuch("names")
        yield number, replace(member, name=short)


@_or_unread
def plain(name: str, told: str, size: int) -> None:
    """Write a compressed tar of `size` bytes into the new file `told`, as it was before. Raises "source-damaged"."""
    with Path(name).open("rb") as file, _damaged():
        stream = unpacked(file)
        if stream is None:
            raise EOFError("it is not compressed")
        try:
            _written(stream, Path(told), size)
        except TooMuch:
            raise EOFError(f"more than {size} bytes") from None


@_or_unread
def unpack(name: str, files: Sequence[tuple[int, int, int]]) -> dict[str, str]:
    """Write members to `out/<number>`, each given by its number, where the archive tells of it, and its size.

    Number → what is wrong, for those that could not be had. One that holds more than its size is cut off there and
    counts as wrong. `name` is no compressed tar. Raises Trouble "source-damaged".
    """
    wrong: dict[str, str] = {}
    with _damaged(), _opened(name, 0) as archive:
        for number, at, size in files:
            try:
                with archive.content(at) as reader:
                    _written(reader, Path("out", str(number)), size)
            except DAMAGE as error:
                if unread(error):
                    raise
                wrong[str(number)] = f"{type(error).__name__}: {error}"[:200]
            except TooMuch:
                wrong[str(number)] = "more bytes than the archive says"
    return wrong


@contextlib.contextmanager
def _damaged() -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        if unread(error):
            raise
        raise Trouble("source-damaged", what=f"{type(error).__name__}: {error}"[:200]) from None


def _written(reader: IO[bytes], target: Path, size: int) -> None:
    try:
        with target.open("xb") as writer:
            while block := reader.read(_BLOCK):
                if writer.tell() + len(block) > size:
                    raise TooMuch("bytes")
                writer.write(block)
            if writer.tell() != size:
                raise EOFError(f"{writer.tell()} of {size} bytes")
    except BaseException:
        target.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _opened(name: str, most: int) -> Iterator[Zip | Tar]:
    with Path(name).open("rb") as file:
        head = file.read(8)
        file.seek(0)
        yield Zip(file) if head.startswith(HEADS) else _tar_or_zip(file, most)


def _tar_or_zip(file: IO[bytes], most: int) -> Zip | Tar:
    """A tar, or a zip behind something else: a program that unpacks itself, or the bytes of another file."""
    try:
        return Tar(file, most)
    except DAMAGE:
        with contextlib.suppress(zipfile.BadZipFile):
            return Zip(file)
        raise
