"""What the file beside a delivery says of it: `<batch>.toml`."""

from __future__ import annotations

import errno
import tomllib
from dataclasses import dataclass

from tasks.sip.batch import Batch, unfit, unreadable
from tasks.sip.naming import shown
from tasks.store import disk

LARGEST = 1 << 20
"""Bytes; it holds three texts."""


@dataclass(frozen=True, slots=True)
class Description:
    """What `<batch>.toml` beside the batch says of it; every key may be missing."""

    languages: str = ""
    producer: str = ""
    title: str = ""


def describe(one: Batch) -> Description:
    """The description beside the batch. Raises BatchRefused when it is there and cannot be read."""
    path = one.beside(".toml")
    try:
        with open(disk.open_regular(path), "rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ValueError(f"larger than {LARGEST >> 20} MiB")
        given = tomllib.loads(text.decode("utf-8-sig"))  # as the Notepad of Windows saves it
    except OSError as e:
        if e.errno in (errno.ENOENT, errno.ENAMETOOLONG):
            return Description()
        raise unreadable(shown(path.name), e) from e
    except (ValueError, RecursionError) as e:
        raise unfit(f"{shown(path.name)} cannot be read: {str(e)[:200]}") from e
    known = Description.__dataclass_fields__
    if wrong := [k for k, v in given.items() if k not in known or not isinstance(v, str)]:
        named = ", ".join(wrong)[:200]
        raise unfit(f"{shown(path.name)}: {named} cannot be used. Known texts: {', '.join(known)}")
    return Description(**given)
