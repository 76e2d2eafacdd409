"""The artifacts that a run leaves when it is over, and what its log says last: one of each, at the outermost run."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from prefect import State, get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from flows.ui import states
from flows.ui.markdown import Account, Inbox, escaped, file_of, markdown, page_of
from tasks.config.home import Home
from tasks.premis import codes
from tasks.premis.model import Ending
from tasks.report import phrases
from tasks.report.places import INDEX, aip_page, run_page
from tasks.report.summary import SHAPES, Summary
from tasks.sip.refusal import Refused
from tasks.words import text

TABLE_ROWS = 1000
LOGGED = 20
SUMMARY, TABLE, REPORT = "summary", "needs-a-person", "report"
_FEW_LETTERS = 300


def account(state: State, home: Home, run: UUID, *, night: bool, policy: str, seconds: float) -> Account:
    """What a run's state carries, with the addresses of its pages."""
    told = states.data_of(state)
    summaries = tuple(t for t in told if isinstance(t, Summary))
    return Account(
        summaries,
        tuple(t for t in told if isinstance(t, Refused)),
        next((t for t in told if isinstance(t, Inbox)), Inbox()),
        night,
        policy,
        seconds,
        f"http://127.0.0.1:{home.settings().reports_port}",
        _page(home, run, summaries),
        home.reports,
    )


def publish(state: State, one: Account) -> None:
    """Write summary, table of what needs a person and link to the report, and tell the same in the run's log."""
    stopped = state.name == "Stopped"
    if not (one.summaries or one.refused or one.inbox != Inbox() or stopped):
        return
    body = markdown(one) if one.summaries or one.refused or one.inbox != Inbox() else ""
    if stopped:
        head = [f"## {text('run-stopped')}", "", escaped(state.message or ""), "", text("when-mended"), ""]
        body = "\n".join([*head, body])
    create_markdown_artifact(markdown=body, key=SUMMARY, description=description(state, one))
    rows = table(one)
    if rows:
        create_table_artifact(table=rows, key=TABLE, description=needs(one))
    if one.summaries:
        create_link_artifact(
            link=f"{one.reports}/{one.page}",
            link_text=text("open-the-report-of-the-run"),
            key=REPORT,
            description=text("open-the-report-of-the-run"),
        )
    _log(state, one)


def description(state: State, one: Account) -> str:
    """The news of a run, the most important first: a card shows 45 letters."""
    if state.name != states.NEEDS:
        waiting = len(one.inbox.waiting)
        return " ".join([_short(state.message or ""), *([text("inbox-waiting", n=waiting)] if waiting else [])])
    refused = len(one.turned_away(known=False))
    parts = [text("deliveries-refused", n=refused)] if refused else []
    return " ".join([*parts, states.news(one.summaries, night=one.night)]).strip()


def needs(one: Account) -> str:
    """How much needs a person, older matters included."""
    return phrases.needs(one.summaries, len(one.refused))


def table(one: Account) -> list[dict[str, str]]:
    """Refused deliveries and files that need a person, new matters first; the first columns are those in view."""
    keys = tuple(text(f) for f in _columns())
    refused = [
        (r.batch, f"✕ {r.code}", _do(r), r.why, "") for known in (False, True) for r in one.turned_away(known=known)
    ]
    files = [
        (file_of(one, s, r), f"{SHAPES[r.ending]} {r.code}", r.do, r.seen, f"{one.reports}/{page_of(one, s, r)}")
        for new in (True, False)
        for s, r in one.rows(new=new)
    ]
    return [dict(zip(keys, cells, strict=True)) for cells in [*refused, *files][:TABLE_ROWS]]


def _do(refused: Refused) -> str:
    """What to do about a refused delivery; it stands at the end of the sentence, too."""
    return codes.advice(refused.code, {}) if refused.code in codes.CODES else ""


def _columns() -> Sequence[str]:
    return ("col-file", "col-code", "col-do", "col-seen", "col-page")


def _log(state: State, one: Account) -> None:
    """The page of a run opens on its log: what an operator wants to know stands at its end."""
    said = get_run_logger()
    for refused in one.turned_away(known=False)[:LOGGED]:
        said.warning("✕ %s: %s %s", refused.batch, refused.code, _short(refused.why))
    rows = one.rows(new=True)
    for summary, row in rows[:LOGGED]:
        level = said.error if row.ending is Ending.FAILED else said.warning
        file = file_of(one, summary, row)
        level("%s %s: %s. %s → %s", SHAPES[row.ending], file, row.code, row.seen, row.do)
    if len(rows) > LOGGED:
        said.warning("%s", text("and-more-in-the-table", n=len(rows) - LOGGED))
    said.info("%s %s", description(state, one), f"{one.reports}/{one.page}" if one.summaries else "")


def _page(home: Home, run: UUID, summaries: Sequence[Summary]) -> str:
    """The page of the run where there is one, else that of its only AIP, else the list of all."""
    mine = run_page(run)
    if (home.reports / mine).exists():
        return mine
    return aip_page(summaries[0].aip) if len(summaries) == 1 else INDEX


def _short(told: str) -> str:
    return told if len(told) <= _FEW_LETTERS else f"{told[: _FEW_LETTERS - 1]}…"
