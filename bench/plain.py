"""The plain script: what one would write by hand, one file after another and a fresh process for each tool.

    python bench/plain.py FOLDER OUT

FIDO names the format of each file below FOLDER; LibreOffice makes PDF/A-2b of office documents and texts, OCRmyPDF
PDF/A-2b with OCR of PDF and pictures, ImageMagick or libtiff a TIFF with LZW of pictures; `sha256sum` and a line of
CSV for each act. OUT takes `pdfa/`, `tiff/`, `events.csv`, and `tools.json`: how often each tool ran and failed, its
seconds and its CPU. Nothing is checked afterwards.
"""

from __future__ import annotations

import csv
import json
import resource
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

LANGUAGES = "vie+fra+eng"
COLUMNS = ("time", "file", "event", "tool", "outcome", "detail", "sha256")
NEEDED = ("fido", "file", "soffice", "ocrmypdf", "tesseract", "convert", "tiffcp", "sha256sum")
VERSION_2 = '{"SelectPdfVersion":{"type":"long","value":"2"}}'
UTF_8 = "--infilter=Text (encoded):UTF8"
# Words in a MIME type → the export filter; the first that fits counts.
OFFICE = (
    (("excel", "spreadsheet"), "calc_pdf_Export"),
    (("powerpoint", "presentation"), "impress_pdf_Export"),
    (("msword", "wordprocessing", "opendocument.text", "rtf"), "writer_pdf_Export"),
)


@dataclass
class Spent:
    """What one tool took over all its runs: seconds of wall and of CPU, its children's included."""

    runs: int = 0
    failed: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0


def missing(path: str | None = None) -> list[str]:
    """The programs that are not on PATH, or on `path`."""
    return [name for name in NEEDED if shutil.which(name, path=path) is None]


def office_filter(mime: str) -> str:
    """LibreOffice's export filter for a MIME type; "" for none."""
    if mime == "text/plain":
        return "writer_pdf_Export"
    return next((name for words, name in OFFICE if any(word in mime for word in words)), "")


def answer_of(told: str) -> tuple[str, str]:
    """PUID and MIME type in FIDO's last line; "UNKNOWN" and "" where it knows none."""
    puid, _, mime = (told.splitlines() or ["UNKNOWN|"])[-1].partition("|")
    return puid, "" if mime == "None" else mime


class Script:
    """One run over one folder."""

    def __init__(self, out: Path) -> None:
        self.out, self.spent = out, defaultdict[str, Spent](Spent)
        for name in ("pdfa", "tiff", "tmp"):
            (out / name).mkdir(parents=True)
        with (out / "events.csv").open("w", newline="") as events:
            csv.writer(events).writerow(COLUMNS)

    def over(self, folder: Path) -> None:
        """Every file of the folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self._one(path, "_".join(path.relative_to(folder).parts))
        shutil.rmtree(self.out / "tmp")
        told = {name: asdict(spent) for name, spent in sorted(self.spent.items())}
        (self.out / "tools.json").write_text(json.dumps(told))

    def _one(self, path: Path, name: str) -> None:
        self._event(name, "ingestion", "sha256sum", "success", "", self._sum(path))
        form = ("-matchprintf", "%(info.puid)s|%(info.mimetype)s\n", "-nomatchprintf", "UNKNOWN|\n")
        puid, mime = answer_of(self._run("fido", "fido", "-q", *form, str(path))[1])
        if not mime:  # PRONOM gives a third of its formats no MIME type
            mime = self._run("file", "file", "-b", "--mime-type", str(path))[1].strip()
        known = "failure" if puid == "UNKNOWN" else "success"
        self._event(name, "identification", "fido", known, f"{puid} {mime}")
        if mime == "application/pdf":
            self._ocr(name, path)
        elif mime.startswith("image/"):
            self._picture(path, name, mime)
        elif filter_name := office_filter(mime):
            self._office(path, name, filter_name, (UTF_8,) if mime == "text/plain" else ())
        else:
            self._event(name, "normalization", "none", "not done", f"no rule for {puid} {mime}")

    def _picture(self, path: Path, name: str, mime: str) -> None:
        made = self.out / "tiff" / f"{name}.tif"
        if mime == "image/tiff":
            tool, argv = "tiffcp", ("tiffcp", "-c", "lzw", str(path), str(made))
        else:
            tool, argv = "convert", ("convert", str(path), "-compress", "LZW", str(made))
        self._made(name, "normalization", tool, made, self._run(tool, *argv)[0])
        flat = self.out / "tmp" / "flat.tif"  # OCRmyPDF takes no picture with transparency
        white = ("-background", "white", "-alpha", "remove", "-alpha", "off", "-compress", "LZW")
        self._run("convert", "convert", str(path), *white, str(flat))
        self._ocr(name, flat)
        for left in flat.parent.glob("flat*.tif"):
            left.unlink()

    def _ocr(self, name: str, source: Path) -> None:
        made = self.out / "pdfa" / f"{name}.pdf"
        options = ("--skip-text", "--output-type", "auto", "--image-dpi", "300", "-j", "1", "-l", LANGUAGES)
        code, _ = self._run("ocrmypdf", "ocrmypdf", *options, str(source), str(made))
        self._made(name, "ocr", "ocrmypdf", made, code)

    def _office(self, path: Path, name: str, filter_name: str, options: tuple[str, ...]) -> None:
        work = self.out / "tmp" / "office"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        how = ("--headless", *options, "--convert-to", f"pdf:{filter_name}:{VERSION_2}", "--outdir", str(work))
        code, _ = self._run("soffice", "soffice", *how, str(path))
        made = self.out / "pdfa" / f"{name}.pdf"
        for one in work.glob("*.pdf"):
            one.replace(made)
        self._made(name, "normalization", "soffice", made, code)

    def _run(self, tool: str, *argv: str) -> tuple[int, str]:
        """Exit code and standard output of one process, whose seconds and CPU are added up."""
        before, began = _children_s(), time.monotonic()
        with (self.out / "tools.log").open("ab") as said:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, check=False)
        spent = self.spent[tool]
        spent.runs += 1
        spent.failed += done.returncode != 0
        spent.wall_s += time.monotonic() - began
        spent.cpu_s += _children_s() - before
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def _sum(self, path: Path) -> str:
        return self._run("sha256sum", "sha256sum", str(path))[1].split(" ")[0]

    def _made(self, name: str, event: str, tool: str, product: Path, code: int) -> None:
        """An event for a tool's run: good only where the product is there and not empty."""
        if code == 0 and product.is_file() and product.stat().st_size:
            self._event(name, event, tool, "success", product.name, self._sum(product))
        else:
            self._event(name, event, tool, "failure", f"exit {code}")

    def _event(self, name: str, event: str, tool: str, outcome: str, detail: str, sha256: str = "") -> None:
        now = datetime.now(UTC).strftime("%FT%TZ")
        with (self.out / "events.csv").open("a", newline="") as events:
            csv.writer(events).writerow((now, name, event, tool, outcome, detail, sha256))


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    Script(Path(sys.argv[2])).over(Path(sys.argv[1]))
