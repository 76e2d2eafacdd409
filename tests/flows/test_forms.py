"""Forms and descriptions of deployments: in the language of the settings, and every flow takes what its form sends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import prefect
import pytest
import yaml

from tasks.words import LANGUAGES, spoken, text

ROOT = Path(__file__).resolve().parents[2]
DEPLOYED = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
NAMES = [one["name"] for one in DEPLOYED]
SENT: list[tuple[str, dict[str, Any]]] = [
    ("nightly", {}),
    ("batch", {"batch": "văn-bản", "options": {"policy": "default", "dry_run": True}}),
    ("reprocess", {"aip": "văn-bản", "reason": "new fonts", "options": {"which": "all files"}}),
    ("reprocess", {"aip": "văn-bản", "reason": "new fonts", "options": {"which": "tệp không được"}}),
    ("reprocess", {"aip": "văn-bản", "reason": "new fonts", "options": {"codes": ["text-lost"], "dry_run": True}}),
    ("verify", {"options": {"aips": [], "how_much": "the day's share"}}),
    ("verify", {"options": {"how_much": "tout"}}),
]
REFUSED = [
    ("verify", {"options": {"how_much": "rien du tout"}}),
    ("reprocess", {"aip": "văn-bản", "reason": "   vì      "}),
]
SCRIPT = """
import importlib, json, sys
from prefect.utilities.callables import parameter_schema
told = {}
for name in ("nightly", "batch", "reprocess", "verify"):
    flow = getattr(importlib.import_module(f"flows.{name}"), name)
    told[name] = {"description": flow.description, "form": parameter_schema(flow).model_dump(mode="json"), "takes": []}
for name, sent in json.load(sys.stdin):
    flow = getattr(importlib.import_module(f"flows.{name}"), name)
    try:
        told[name]["takes"].append(sorted(flow.validate_parameters(sent)))
    except Exception as error:
        told[name]["takes"].append(str(error))
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the deployments show under a language of the settings, as a worker's process finds it."""

    @cache
    def ask(lang: str) -> dict[str, Any]:
        home = tmp_path_factory.mktemp(lang)
        (home / "policies").mkdir()
        (home / "policies" / "own.toml").write_text("", encoding="utf-8")
        (home / "perenne.toml").write_text(f'lang = "{lang}"\n', encoding="utf-8")
        env = {**os.environ, "PERENNE_HOME": str(home), "PREFECT_SERVER_EPHEMERAL_ENABLED": "false"}
        env.pop("PERENNE_LANG", None)
        asked = json.dumps([*SENT, *REFUSED])
        found = subprocess.run(
            [sys.executable, "-c", SCRIPT], input=asked, env=env, cwd=ROOT, capture_output=True, text=True, check=True
        )
        return dict(json.loads(found.stdout))

    return ask


def fields(told: dict[str, Any], name: str) -> dict[str, Any]:
    """The fields of the nested options of a form."""
    (options,) = told[name]["form"]["definitions"].values()
    return dict(options["properties"])


def headed(form: dict[str, Any], field: dict[str, Any]) -> str:
    """The title over a field: its own, else that of the model it refers to."""
    return str(field.get("title") or form["definitions"][field["$ref"].rsplit("/", 1)[-1]]["title"])


@pytest.mark.slow
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_flow_takes_what_its_form_sends_in_any_language(shown: Any, lang: str) -> None:
    told = shown(lang)
    for name in NAMES:
        wanted = [sorted(sent) for form, sent in SENT if form == name]
        assert told[name]["takes"][: len(wanted)] == wanted
    assert "rien du tout" in told["verify"]["takes"][-1]


@pytest.mark.slow
@pytest.mark.parametrize("lang", LANGUAGES)
def test_descriptions_titles_and_choices_are_in_the_language_of_the_settings(shown: Any, lang: Any) -> None:
    told = shown(lang)
    with spoken(lang):
        for name in NAMES:
            assert told[name]["description"] == text(f"deployment-{name}").strip()
        which = fields(told, "reprocess")["which"]
        assert (which["title"], which["description"]) == (text("form-which"), text("form-which-help"))
        assert which["enum"] == [text(f"which-{scope}") for scope in ("changed", "held", "failed", "all")]
        assert which["default"] == which["enum"][0]
        offered = set(fields(told, "reprocess")["codes"]["items"]["enum"])
        assert {"text-lost", "source-damaged", "fonts-replaced"} <= offered
        assert offered & {"bag-invalid", "source-unreadable", "store-broken", "same"} == set()
        for form in ("batch", "reprocess"):
            assert fields(told, form)["dry_run"]["title"] == text("form-dry-run")
            assert fields(told, form)["policy"]["enum"] == ["default", "own"]
        for form in ("batch", "reprocess", "verify"):
            (options,) = told[form]["form"]["definitions"].values()
            assert (options["title"], options["description"]) == (text("form-options"), text(f"form-options-{form}"))
        asked = {form: told[form]["form"]["properties"] for form in ("batch", "reprocess", "verify")}
        assert asked["reprocess"]["reason"]["description"] == text("form-why-now")
        titles = {
            (form, name): headed(told[form]["form"], field) for form, of in asked.items() for name, field in of.items()
        }
        assert titles == {
            ("batch", "batch"): text("form-batch-title"),
            ("reprocess", "aip"): text("form-aip-title"),
            ("reprocess", "reason"): text("form-reason"),
            **{(form, "options"): text("form-options") for form in asked},
        }


@pytest.mark.slow
def test_a_form_and_its_flow_refuse_a_reason_that_is_no_sentence(shown: Any) -> None:
    told = shown("en")
    field = told["reprocess"]["form"]["properties"]["reason"]
    assert (field["minLength"], field["maxLength"]) == (8, 300)
    assert "reason" in told["reprocess"]["form"]["required"]
    assert "one sentence of 8 to 300 letters" in told["reprocess"]["takes"][-1]


def test_no_deployment_has_a_description_of_its_own_that_would_hide_the_flows() -> None:
    assert [one["name"] for one in DEPLOYED if "description" in one] == []
    assert set(NAMES) == {"nightly", "batch", "reprocess", "verify"}


def test_what_a_plan_says_to_press_is_on_prefects_page() -> None:
    assets = Path(prefect.__file__).parent / "server" / "ui" / "assets"
    page = "".join(path.read_text(encoding="utf-8") for path in assets.glob("*.js"))
    for lang in LANGUAGES:
        with spoken(lang):
            pressed = re.findall("`([^`]+)`", text("plan-nothing-written", option=text("form-dry-run")))
        assert len(pressed) == 2
        assert [button for button in pressed if button not in page] == []
