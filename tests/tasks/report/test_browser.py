"""The pages in a browser: nothing is asked for, nothing is complained of, nothing runs out of a narrow screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tasks.report.test_pages import every

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no chromium here")]
LONG = "một-thư-mục-rất-dài/" * 6 + "báo-cáo-kiểm-tra-kho-quý-3-năm-2003-bản-cuối.pdf"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    play = pytest.importorskip("playwright.sync_api").sync_playwright().start()
    opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield opened
    opened.close()
    play.stop()


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_a_page_asks_for_nothing_complains_of_nothing_and_fits_the_screen(
    tmp_path: Path, browser: object, width: int, scheme: str
) -> None:
    for kind, told in every(tmp_path, LONG, batch="một-lô-có-tên-rất-dài-không-có-khoảng-trắng-nào-cả").items():
        path = tmp_path / f"{kind}.html"
        path.write_text(told, encoding="utf-8")
        page = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()  # type: ignore[attr-defined]
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(path.as_uri())
        assert said == [], kind
        assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()], kind
        assert page.evaluate("document.documentElement.scrollWidth") <= width, kind
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip", kind
        assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0, kind
        assert page.pdf().startswith(b"%PDF-"), kind
        page.close()
