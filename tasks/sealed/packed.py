"""What an archive holds, whatever packed it: its members, and the words for what is wrong with it."""

from __future__ import annotations

import errno
import lzma
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass

DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    struct.error,
    NotImplementedError,  # zipfile's word for a compression that it does not know
    ValueError,
    OverflowError,
    LookupError,
    RuntimeError,
    OSError,
)
"""What reading hostile bytes may raise."""

_UNREAD = {errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EROFS}


def unread(error: BaseException) -> bool:
    """Whether a disk or a share did not give the bytes, or not take them; whatever they are, they are not to blame."""
    return isinstance(error, OSError) and error.errno in _UNREAD


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its name's bytes in hexadecimal, where the archive tells of it, its size as claimed.

    Then seconds since the epoch, and what it is; and how it is packed where we cannot undo that, else "".
    """

    name: str
    at: int
    size: int
    mtime: int
    kind: str
    encrypted: bool
    packing: str = ""


class TooMuch(Exception):  # noqa: N818  it is what came
    """More than was allowed; `of` what."""

    def __init__(self, of: str) -> None:
        super().__init__(of)
        self.of = of
