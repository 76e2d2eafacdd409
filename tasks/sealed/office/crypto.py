"""Encryption of Office files: is a password needed, and what does a file hold that only pretends to need one?"""

from __future__ import annotations

import io
from pathlib import Path

import msoffcrypto

from tasks.sealed.office.compound import Compound

DEFAULT_PASSWORD = "VelvetSweatshop"  # noqa: S105  what Excel itself puts in when a sheet is protected without one
_RIGHTS = ("drmcontent", "drmencrypteddataspace", "drmencryptedtransform")


def state(compound: Compound, source: str) -> str:
    """`none` when every office program opens the file by itself, `open` when a password or a licence is asked for."""
    if any(word in name.casefold() for name in [*compound.streams, *compound.storages] for word in _RIGHTS):
        return "open"
    if not _claims(source):
        return "none"
    return "none" if opened_by_default(source) is not None else "open"


def _claims(source: str) -> bool:
    with Path(source).open("rb") as stream:
        try:
            return bool(msoffcrypto.OfficeFile(stream).is_encrypted())
        except Exception:  # not a format that can be encrypted, or too broken to say so
            return False


def opened_by_default(source: str) -> io.BytesIO | None:
    """The decrypted file when Excel's default password opens it, else None."""
    out = io.BytesIO()
    with Path(source).open("rb") as stream:
        try:
            office = msoffcrypto.OfficeFile(stream)
            if not office.is_encrypted():
                return None
            office.load_key(password=DEFAULT_PASSWORD)
            office.decrypt(out)
        except Exception:  # another password, or an encryption that the library does not know
            return None
    out.seek(0)
    return out if out.read(4)[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0") else None
