"""Photograph the Prefect UI and the report of a running `perenne up`, as an operator sees them.

    .venv/bin/python docs/screenshots.py TARGET_FOLDER [--walk]

Needs Debian's `chromium`. Writes PNG files: runs, run, artifacts, summary, form of `batch`, form of `reprocess`, report;
with `--walk` the five of docs/walk.md.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

WAIT_MS = 3500
HIGHEST = 2000
"""Pixels of a long page that are kept."""
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
    outermost = [run for run in runs if not run.get("parent_task_run_id")]
    told = [run for run in outermost if run["state_name"] == "Needs a person"] or outermost
    if told:
        found["run"] = f"/runs/flow-run/{told[0]['id']}"
        found["run-artifacts"] = f"/runs/flow-run/{told[0]['id']}?tab=Artifacts"
        of_run = {"artifacts": {"flow_run_id": {"any_": [told[0]["id"]]}}, "limit": 50}
        for artifact in ask(base, "/artifacts/filter", of_run):
            found[f"artifact-{artifact['key']}"] = f"/artifacts/artifact/{artifact['id']}"
    for deployment in ask(base, "/deployments/filter", {"limit": 50}):
        found[f"deployment-{deployment['name']}"] = f"/deployments/deployment/{deployment['id']}?tab=Description"
        found[f"form-{deployment['name']}"] = f"/deployments/deployment/{deployment['id']}/run"
    return found


def shoot(page: Page, address: str, target: Path) -> None:
    """One picture, after the page had time to load its data."""
    page.goto(address)
    page.wait_for_timeout(WAIT_MS)
    page.screenshot(path=str(target), full_page=True)


def small(path: Path) -> None:
    """The top of a picture in 64 colours: enough for a page of text, and a quarter of the bytes."""
    with Image.open(path) as picture:
        top = picture.convert("RGB").crop((0, 0, picture.width, min(picture.height, HIGHEST)))
        top.quantize(64).save(path, optimize=True)


def walk(home: Path, found: dict[str, str], base: str) -> dict[str, str]:
    """Name → address of the five pictures of docs/walk.md."""
    aip = next(path for path in sorted(home.glob("reports/*.html")) if path.stem != "index")
    one = next(iter(sorted((home / "reports" / aip.stem).glob("*.html"))))
    of_prefect = {"run": "run", "summary": "artifact-summary", "reprocess": "form-reprocess"}
    return {name: base + found[page] for name, page in of_prefect.items()} | {
        "report": aip.as_uri(),
        "file": one.as_uri(),
    }


def everything(home: Path, found: dict[str, str], base: str) -> dict[str, str]:
    """Name → address of every page there is."""
    reports = sorted((home / "reports").rglob("*.html"))
    return {name: base + path for name, path in found.items()} | {
        f"report-{path.relative_to(home / 'reports').as_posix().replace('/', '-')[:20]}": path.as_uri()
        for path in reports
    }


def main(target: Path, *, for_walk: bool) -> None:
    """All pictures, or those of the walk-through."""
    home = Path(os.environ.get("PERENNE_HOME", Path.home() / "perenne"))
    base = f"http://127.0.0.1:{json.loads((home / 'prefect' / 'server.json').read_text())['port']}"
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page(viewport={"width": 1200 if for_walk else 1400, "height": 1500 if for_walk else 900})
        for name, address in (walk if for_walk else everything)(home, pages(base), base).items():
            shoot(page, address, target / f"{name}.png")
            small(target / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), for_walk="--walk" in sys.argv[2:])
