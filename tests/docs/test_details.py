"""The page of events names every detail that the taking in of a delivery writes into the log."""

from __future__ import annotations

import os
import re
import uuid
import zipfile
from pathlib import Path

from tasks.config.home import Home
from tasks.premis import codes, log
from tasks.sip.batch import batch
from tasks.sip.ingest import take_in
from tasks.store.ocfl import Store
from tests.tasks.sip.test_bag import made as made_bag

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def told(kind: str) -> set[str]:
    """The keys that the page gives for a type of event, whatever it is about."""
    text = PAGE.read_text(encoding="utf-8").partition("## outcome_detail")[2].partition("\n## ")[0]
    rows = re.findall(rf"^\| {kind}\b[^|]*\| (.*) \|$", text, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", " ".join(rows)))


def test_every_detail_of_an_ingestion_is_on_the_page(tmp_path: Path) -> None:
    home = Home(tmp_path).prepare()
    folder, packed, bad = home.inbox / "lô-1", home.inbox / "lô-3.zip", home.inbox / "lô-4.zip"
    (folder / "trống").mkdir(parents=True)
    (folder / os.fsdecode(b"v\xe3n.txt")).write_bytes(b"a")
    (folder / "pipe").symlink_to("nowhere")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", b"a")
    bad.write_bytes(packed.read_bytes()[:50])
    for path in (folder, made_bag(home.inbox / "lô-2"), packed, bad):
        take_in(batch(path), home, Store(home.store), uuid.uuid4())
    folder.with_name("lô-1.toml").write_text('title = "t"\nproducer = "p"\nlanguages = "vie"\n', encoding="utf-8")
    take_in(batch(folder), home, Store(home.store), uuid.uuid4())
    seen: dict[str, set[str]] = {}
    for event in log.read(home.log):
        text = codes.CODES[event.code].en if event.code else None
        holes = set(re.findall(r"{(\w+)}", text.message + text.advice)) if text else set()
        seen.setdefault(event.type.value, set()).update(event.detail.keys() - holes)
    assert seen == {kind: keys & told(kind) for kind, keys in seen.items()}
    assert {"faults", "name_bytes", "delivery", "empty_folders", "container", "producer"} <= seen["ingestion"]
    assert "bagit_version" in seen["validation"]
