"""Photograph the Prefect UI and the report of a running `perenne up`, as an operator sees them.

    .venv/bin/python docs/screenshots.py TARGET_FOLDER

Needs Debian's `chromium`. Writes PNG files: runs, run, artifacts, summary, form of `batch`, form of `reprocess`, report.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

WAIT_MS = 3500
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def ask(base: str, path: str, body: object) -> list[dict[str, object]]:
    """What the server answers to a filter."""
    request = urllib.request.Request(
        f"{base}/api{path}", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return list(json.load(answer))


def pages(base: str) -> dict[str, str]:
    """Name → path of every page worth a look."""
    found = {"dashboard": "/dashboard", "runs": "/runs", "deployments": "/deployments"}
    ended = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "RUNNING"]}}}}
    runs = ask(base, "/flow_runs/filter", {**ended, "limit": 50, "sort": "START_TIME_DESC"})
    for run in runs:
        if not run.get("parent_task_run_id"):
            found["run"] = f"/runs/flow-run/{run['id']}"
            break
    for run in runs:
        if run.get("parent_task_run_id"):
            found["migrate"] = f"/runs/flow-run/{run['id']}"
            found["migrate-artifacts"] = f"/runs/flow-run/{run['id']}?tab=Artifacts"
            break
    for artifact in ask(base, "/artifacts/latest/filter", {"limit": 50}):
        found[f"artifact-{artifact['key']}"] = f"/artifacts/artifact/{artifact['latest_id']}"
    for deployment in ask(base, "/deployments/filter", {"limit": 50}):
        found[f"deployment-{deployment['name']}"] = f"/deployments/deployment/{deployment['id']}?tab=Description"
        found[f"form-{deployment['name']}"] = f"/deployments/deployment/{deployment['id']}/run"
    return found


def shoot(page: Page, address: str, target: Path) -> None:
    """One picture, after the page had time to load its data."""
    page.goto(address)
    page.wait_for_timeout(WAIT_MS)
    page.screenshot(path=str(target), full_page=True)


def main(target: Path) -> None:
    """All pictures."""
    home = Path(os.environ.get("PERENNE_HOME", Path.home() / "perenne"))
    base = f"http://127.0.0.1:{json.loads((home / 'prefect' / 'server.json').read_text())['port']}"
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        for name, path in pages(base).items():
            shoot(page, base + path, target / f"{name}.png")
        for report in sorted((home / "reports").glob("*.html")):
            shoot(page, report.as_uri(), target / f"report-{report.stem[:8]}.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
