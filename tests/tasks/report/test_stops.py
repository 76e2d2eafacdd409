"""Whatever ends a run has a code, and the folder that is meant is named."""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from pathlib import Path

import pytest

from tasks.config.home import ConfigError, Home
from tasks.policy.load import PolicyError, load
from tasks.premis import codes, log
from tasks.premis.log import LogError
from tasks.premis.model import Trouble
from tasks.report.stops import stop
from tasks.sip.batch import batch
from tasks.sip.ingest import take_in
from tasks.store.errors import DigestMismatch, StoreBroken
from tasks.store.ocfl import Store
from tasks.tools.machine import Finding, NotFit


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk-full"),
        pytest.param(errno.EDQUOT, "quota", marks=pytest.mark.provokes("quota")),
        (errno.EROFS, "read-only"),
        pytest.param(errno.EACCES, "no-permission", marks=pytest.mark.provokes("no-permission")),
        pytest.param(errno.EIO, "disk-failing", marks=pytest.mark.provokes("disk-failing")),
        (errno.ESTALE, "disk-failing"),
        pytest.param(errno.EMFILE, "machine-exhausted", marks=pytest.mark.provokes("machine-exhausted")),
        (errno.ENOMEM, "machine-exhausted"),
    ],
)
def test_what_the_kernel_refuses_has_a_code_and_names_our_folder(home: Home, number: int, code: str) -> None:
    why = stop(OSError(number, os.strerror(number), str(home.log / "events" / "x")), home)
    assert why.code == code
    assert codes.stops(code)
    if code != "machine-exhausted":
        assert why.detail["folder"] == str(home.log)
        assert str(home.log) in why.message


@pytest.mark.provokes("settings-invalid")
def test_settings_that_cannot_be_used_stop_the_run(home: Home) -> None:
    (home.root / "perenne.toml").write_text("colour = 3\n")
    with pytest.raises(ConfigError) as caught:
        home.settings()
    why = stop(caught.value, home)
    assert why.code == "settings-invalid"
    assert why.message.startswith("The settings cannot be used: perenne.toml: line 1: colour = 3 → Allowed: ")
    assert why.message.count("No file was touched.") == 1


@pytest.mark.provokes("policy-invalid")
def test_a_policy_that_cannot_be_used_stops_the_run(home: Home) -> None:
    (home.policies / "own.toml").write_text('id = "own-1"\n[[rule]]\nid = "x"\n')
    with pytest.raises(PolicyError) as caught:
        load(home.policies / "own.toml")
    why = stop(caught.value, home)
    assert why.code == "policy-invalid"
    first, *_, last = why.message.split(" · ")
    assert first.startswith("The policy cannot be used: own.toml: line 2, rule x: ")
    assert " → " in first
    assert "more. No file was touched. Mend that, then start again." in last
    assert why.message.count("No file was touched.") == 1


@pytest.mark.provokes("store-broken")
def test_a_foreign_thing_where_the_store_should_be_stops_the_run(home: Home) -> None:
    (home.store / "ocfl").mkdir()
    with pytest.raises(StoreBroken) as caught:
        Store(home.store)
    assert stop(caught.value, home).code == "store-broken"


def test_other_bytes_than_were_written_are_a_failing_disk(home: Home) -> None:
    stage = Store(home.store).stage(uuid.uuid4(), uuid.uuid4())
    source = home.work / "product"
    source.write_bytes(b"one")
    with pytest.raises(DigestMismatch) as caught:
        stage.put(source, "masters/a.tif", hashlib.sha256(b"other").hexdigest())
    why = stop(caught.value, home)
    assert (why.code, why.detail["folder"]) == ("disk-failing", str(home.work))
    assert "product" in why.message


def test_bytes_that_change_while_a_batch_is_stored_are_the_disks_fault_and_not_the_batchs(home: Home) -> None:
    (home.inbox / "lô").mkdir()
    (home.inbox / "lô" / "a.bin").write_bytes(b"sound")

    def damage(step: str) -> None:
        for path in (home.store / "stage").rglob("a.bin") if step == "read back" else ():
            path.chmod(0o600)
            path.write_bytes(b"other")

    with pytest.raises(DigestMismatch) as caught:
        take_in(batch(home.inbox / "lô"), home, Store(home.store, step=damage), uuid.uuid4())
    why = stop(caught.value, home)
    assert (why.code, why.detail["folder"]) == ("disk-failing", str(home.store))


@pytest.mark.provokes("log-broken")
def test_a_broken_file_of_the_log_stops_the_run(home: Home) -> None:
    part = home.log / "events" / "open" / "day=2026-11-27" / "many.many.x.0.parquet"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"no parquet")
    with pytest.raises(LogError) as caught:
        list(log.read(home.log))
    assert stop(caught.value, home).code == "log-broken"


@pytest.mark.provokes("machine-not-fit")
def test_a_machine_that_lacks_a_tool_stops_the_run_with_what_it_lacks(home: Home) -> None:
    why = stop(NotFit([Finding("tesseract", good=False, told="tesseract is missing")]), home)
    assert (why.code, why.detail["what"]) == ("machine-not-fit", "tesseract: tesseract is missing")


def test_a_trouble_keeps_its_code_and_anything_else_its_words(home: Home) -> None:
    full = stop(Trouble("disk-full", folder="/work", free="0 bytes"), home)
    assert full.message.startswith("/work is full: 0 bytes left.")
    other = stop(ValueError("strange\nmore"), home)
    assert (other.code, other.message) == ("", "strange")


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("name", [None, "/mnt/usb/delivery/a.pdf", "inbox/share/a.pdf"])
def test_what_is_not_about_our_folders_never_blames_the_store(home: Home, number: int, name: str | None) -> None:
    why = stop(OSError(number, "No", *([str(home.root / name)] if name else [])), home)
    assert why.code == ""
    assert str(home.store) not in why.message
