"""Every deployed flow takes the parameters that its form in the Prefect UI sends."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

FORMS: list[tuple[str, str, dict[str, Any]]] = [
    ("nightly", "nightly", {}),
    ("batch", "batch", {"batch": "văn-bản", "options": {"policy": "default"}}),
    ("reprocess", "reprocess", {"aip": "văn-bản", "reason": "new fonts", "options": {"which": "all files"}}),
    ("verify", "verify", {"options": {"aips": []}}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name", "sent"), FORMS, ids=[name for _, name, _ in FORMS])
def test_a_flow_takes_what_its_form_sends(
    module: str, name: str, sent: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNE_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_SERVER_EPHEMERAL_ENABLED", "false")
    flow = getattr(importlib.import_module(f"flows.{module}"), name)
    taken = flow.validate_parameters(sent)
    assert taken.keys() == sent.keys()
