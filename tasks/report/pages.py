"""The report of one AIP: one self-contained page without scripts, made anew from the log when something happened."""

from __future__ import annotations

import html
import os
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

from tasks.config.home import Home
from tasks.policy.rules import Policy
from tasks.report import phrases
from tasks.report.summary import SHAPES, WORST, Row, Summary
from tasks.words import number, text

STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
ROWS = 1000
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a page may load: nothing."""


def write(home: Home, summary: Summary, policy: Policy) -> Path:
    """Write `<aip>.html`, the report of one AIP; returns the page."""
    home.reports.mkdir(parents=True, exist_ok=True)
    return _put(home.reports / f"{summary.aip}.html", page(summary, policy))


def index(home: Home, summaries: Sequence[Summary]) -> Path:
    """Write `index.html`: links to every report there is; those of `summaries` say how they stand."""
    home.reports.mkdir(parents=True, exist_ok=True)
    return _put(home.reports / "index.html", _index(home.reports, summaries))


def page(summary: Summary, policy: Policy) -> str:
    """The report of one AIP: verdict, safety, numbers, what needs a person, notes."""
    body = [
        f"<h1>{_esc(phrases.verdict([summary]))}</h1>",
        f"<p>{_esc(phrases.safety(summary))} Version {summary.version} is the head.</p>",
        f"<p>{_esc(told)}</p>" if (told := phrases.supplement(summary)) else "",
        _numbers(summary),
        *_section("What needs a person", summary.attention),
        *_section("Waits for the next run", summary.waiting),
        *_section("Worth knowing", summary.notes),
        "<h2>How</h2>",
        f"<p>Policy {_esc(policy.id)}, {len(policy.rules)} rules, digest <code>{policy.digest[:16]}</code>. "
        f"{text('n-events', n=summary.events)} in the log tell what was done, by which tools and versions: "
        f"<code>perenne history {_esc(summary.batch)} FILE</code></p>",
    ]
    return _frame(summary.batch, body)


def _numbers(summary: Summary) -> str:
    rows = "".join(
        f'<tr><td class="{e.value}">{SHAPES[e]} {phrases.ended(e)}</td><td class="n">{number(n)}</td>'
        f"<td>{phrases.means(e)}</td></tr>"
        for e in reversed(WORST)
        if (n := summary.ended.get(e, 0))
    )
    return f"<table><tr><th>ended</th><th>files</th><th></th></tr>{rows}</table>"


def _section(title: str, rows: Sequence[Row]) -> Iterable[str]:
    if not rows:
        return
    yield f"<h2>{title}</h2><table><tr><th>file</th><th>code</th><th>what was seen</th><th>what to do</th></tr>"
    for row in rows[:ROWS]:
        yield (
            f'<tr><td><bdi>{_esc(row.file)}</bdi></td><td class="code {row.ending.value}">{SHAPES[row.ending]} '
            f"{_esc(row.code)}</td><td>{_esc(row.seen)}</td><td><b>{_esc(row.do)}</b></td></tr>"
        )
    yield "</table>"
    if len(rows) > ROWS:
        yield f"<p>and {len(rows) - ROWS:,} more: <code>perenne status --json</code></p>"


def _index(reports: Path, summaries: Sequence[Summary]) -> str:
    """Links to every report there is; the ones just written say how they stand."""
    fresh = {f"{s.aip}.html": s for s in summaries}
    rows = []
    for path in sorted(reports.glob("*.html")):
        if path.name == "index.html" or not _is_uuid(path.stem):
            continue
        told = phrases.verdict([fresh[path.name]]) if path.name in fresh else ""
        rows.append(f'<tr><td><a href="{path.name}"><bdi>{_esc(_title(path))}</bdi></a></td><td>{_esc(told)}</td></tr>')
    return _frame("Perenne", ["<h1>Reports</h1>", "<table>", *rows, "</table>"])


def _title(path: Path) -> str:
    head = path.read_text(encoding="utf-8")[:2000]
    return html.unescape(head.partition("<title>")[2].partition("</title>")[0]) or path.stem


def _frame(title: str, body: Iterable[str]) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{_esc(title)}</title><style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _esc(text: str) -> str:
    """A text inside HTML; control letters are shown, not obeyed."""
    return html.escape("".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text))


def _put(path: Path, text: str) -> Path:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    return path


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
