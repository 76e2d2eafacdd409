"""What can go wrong with the store, as types: each says who has to act."""

from __future__ import annotations

from pathlib import Path


class StoreError(Exception):
    """Anything the store refuses or cannot do."""


class StoreBroken(StoreError):  # noqa: N818  the state's word, as reports say it
    """What lies at `path` is neither whole nor merely unfinished: a person has to look, nothing mends it by itself."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class StoreBusy(StoreError):  # noqa: N818  as the outcome code `store-busy`
    """The head is not the one this work started from: another run was faster; take the work up again from there."""

    def __init__(self, path: Path, expected: int, found: int) -> None:
        super().__init__(f"{path}: the work started from version {expected}, the head is version {found}")
        self.path = path
        self.expected = expected
        self.found = found


class DigestMismatch(StoreError):  # noqa: N818
    """The bytes of `path` are not those that were announced or written; they were not taken over."""

    def __init__(self, path: Path, expected: str, found: str) -> None:
        super().__init__(f"{path}: the digest should be {expected}, it is {found}")
        self.path = path
        self.expected = expected
        self.found = found
