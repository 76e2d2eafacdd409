"""The door of the store: an OCFL 1.1 storage root, `store/ocfl/`, and its stage, `store/stage/`, on one file system."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

from tasks.store import disk, writer
from tasks.store.errors import StoreBroken
from tasks.store.reader import Inventory, read_object
from tasks.store.stage import Stage

LAYOUT = "0003-hash-and-id-n-tuple-storage-layout"
_TUPLES, _TUPLE_SIZE = 3, 3
_DECLARATION = "0=ocfl_1.1"
_OBJECT = re.compile(r"urn%3auuid%3a([0-9a-f-]{36})")


def _root_files() -> dict[str, bytes]:
    """The files of a storage root (OCFL 1.1, section 4) with the layout extension 0003."""
    layout = {
        "extension": LAYOUT,
        "description": "Objects lie below three folders of three letters of the SHA-256 of their id, in a folder "
        "named by the id.",
    }
    config = {
        "extensionName": LAYOUT,
        "digestAlgorithm": "sha256",
        "tupleSize": _TUPLE_SIZE,
        "numberOfTuples": _TUPLES,
    }
    return {
        f"extensions/{LAYOUT}/config.json": json.dumps(config, indent=2).encode() + b"\n",
        "ocfl_layout.json": json.dumps(layout, indent=2).encode() + b"\n",
        _DECLARATION: b"ocfl_1.1\n",
    }


ROOT_FILES = frozenset(_root_files())
"""What lies in a storage root besides objects."""


def _create_root(ocfl: Path) -> None:
    """Make an empty storage root, whole or not at all."""
    making = ocfl.with_name(f".{ocfl.name}-{uuid4().hex}")
    for name, data in _root_files().items():
        (making / name).parent.mkdir(parents=True, exist_ok=True)
        disk.write(making / name, data)
    disk.sync_file_system(making)
    try:
        making.rename(ocfl)
    except OSError:
        # Another process was faster; `_check_root` judges what it made.
        shutil.rmtree(making)
    disk.sync_folder(ocfl.parent)


def _check_root(ocfl: Path) -> None:
    for name, data in _root_files().items():
        path = ocfl / name
        if not path.is_file():
            raise StoreBroken(ocfl, f"not a storage root of Perenne: no {name}")
        found = path.read_bytes()
        same = found == data if name == _DECLARATION else _layout(found) == _layout(data)
        if not same:
            raise StoreBroken(path, "not what Perenne writes")


def _layout(data: bytes) -> object:
    """The part of a root's JSON file that decides where objects lie."""
    try:
        document = json.loads(data)
    except ValueError:
        return None
    return {key: value for key, value in document.items() if key != "description"}


class Store:
    """The storage root below `root`, made when it is not there.

    Objects are AIPs; their OCFL id is `urn:uuid:<aip>`. One host writes; one commit per AIP at a time. `step` is told
    the name of each step of a commit before it is done, and has no other use than tests that end the process there.
    Raises StoreBroken when something else lies where the root should be.
    """

    def __init__(self, root: Path, *, step: writer.Step = lambda _: None) -> None:
        self.root = root
        self.ocfl = root / "ocfl"
        self.stages = root / "stage"
        self._step = step
        self.stages.mkdir(parents=True, exist_ok=True)
        if not self.ocfl.exists():
            _create_root(self.ocfl)
        _check_root(self.ocfl)

    def object_path(self, aip: UUID) -> Path:
        """Where the object of an AIP lies, or would lie."""
        digest = hashlib.sha256(aip.urn.encode()).hexdigest()
        tuples = [digest[at : at + _TUPLE_SIZE] for at in range(0, _TUPLES * _TUPLE_SIZE, _TUPLE_SIZE)]
        return self.ocfl.joinpath(*tuples, aip.urn.replace(":", "%3a"))

    def inventory(self, aip: UUID) -> Inventory | None:
        """The AIP's inventory at its head; None when the store does not hold the AIP.

        An unfinished version is not served. Raises StoreBroken, an alarm, for what no interrupted commit leaves.
        """
        return read_object(aip, self.object_path(aip))

    def aips(self) -> Iterator[UUID]:
        """Every AIP in the store, in the order of the folders."""
        for path in sorted(self.ocfl.glob("/".join(["[0-9a-f]" * _TUPLE_SIZE] * _TUPLES) + "/urn%3auuid%3a*")):
            if found := _OBJECT.fullmatch(path.name):
                yield UUID(found[1])

    def staged(self, aip: UUID) -> dict[str, str]:
        """Logical path → SHA-256 of what waits for the AIP's next version.

        Only looks; what a kill left is not put right.
        """
        return {path: staged.sha256 for path, staged in Stage(self.stages / str(aip), aip).entries().items()}

    def stage(self, aip: UUID, run: UUID) -> Stage:
        """The stage of an AIP's next version, with what an earlier, killed run left there.

        A commit that was interrupted is finished or undone first. Raises StoreBroken for a broken object.
        """
        stage = Stage(self.stages / str(aip), run)
        if stage.folder.is_dir():
            with stage.locked():
                stage.reclaim()
                writer.roll_forward(aip, self.object_path(aip), stage.folder)
                if stage.entries() and (inventory := self.inventory(aip)):
                    stage.settle({logical: entry.sha512 for logical, entry in inventory.state().items()})
        return stage

    def commit(
        self,
        aip: UUID,
        stage: Stage,
        *,
        expected_head: int,
        message: str,
        user: tuple[str, str],
        created: datetime,
        remove: Collection[str] = (),
    ) -> int:
        """Make what is staged the next version, whole or not at all; the new version's number.

        The new state is the head's without `remove` and with the staged files, which supersede files of the same
        logical path; earlier versions keep theirs. Bytes that the object holds already are not stored again. Staged
        files are moved, never copied. `expected_head` is the version this work started from, 0 for a new AIP; `user`
        is (name, address); `created` must know its time zone. On return all is on the disk and was read back from it.

        Raises StoreBusy when the head is another; DigestMismatch when the disk gave back other bytes (the damaged
        file is off the stage, the others remain); StoreError for a removal of what is not there or for a path that
        would be both a file and a folder; StoreBroken for a broken object; OSError from the disk.
        """
        account = writer.Account(message, user, created)
        return writer.commit(
            aip,
            self.object_path(aip),
            stage,
            account,
            expected_head=expected_head,
            remove=remove,
            step=self._step,
        )
