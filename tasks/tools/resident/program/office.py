"""LibreOffice as a resident: one document a line, read and exported over UNO. Runs with the system's Python.

One soffice.bin with a profile of its own, over a pipe. A request is a JSON line {"source", "product", "filter",
"kind", "export", "password", "filter_options", "fit"}; the answer is {"ok": true, "pages": n} or
{"error": …, "text": …}. `fit` is for sheets: "page", or "columns" and "width" so that cells do not cut their text.
When the office dies, so does this program, with the office's own exit code: what is left of it is not to be trusted.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import uno
from com.sun.star.beans import PropertyValue
from com.sun.star.lang import DisposedException

PIPE = f"pipe,name=perenne-{os.getpid()};urp;StarOffice.ComponentContext"
"""Several offices may share a folder of sockets, so each pipe has a name of its own."""
NEW_PROFILE = 81
"""The exit code with which soffice.bin asks to be started again, after it has made a profile."""
STARTS = 3
START_S = 100.0
MOST_COLUMNS = 255
"""Columns of a sheet that are fitted; beyond them nobody prints."""
NEVER_EXECUTE, NO_UPDATE = 0, 0
"""com.sun.star.document.MacroExecMode and UpdateDocMode."""

PR_SET_PDEATHSIG, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 22, 2
WITHOUT_CONNECT = "PERENNE_WITHOUT_CONNECT"

# kind of document -> its service and its export filter
KINDS = {
    "writer": ("com.sun.star.text.TextDocument", "writer_pdf_Export"),
    "web": ("com.sun.star.text.WebDocument", "writer_web_pdf_Export"),
    "global": ("com.sun.star.text.GlobalDocument", "writer_globaldocument_pdf_Export"),
    "calc": ("com.sun.star.sheet.SpreadsheetDocument", "calc_pdf_Export"),
    "impress": ("com.sun.star.presentation.PresentationDocument", "impress_pdf_Export"),
    "draw": ("com.sun.star.drawing.DrawingDocument", "draw_pdf_Export"),
    "math": ("com.sun.star.formula.FormulaProperties", "math_pdf_Export"),
}
WRITTEN, DRAWN = ("writer", "web", "global"), ("impress", "draw")

# Annotations are written without an appearance, which PDF/A forbids (ISO 19005-2, 6.3.3).
EXPORT_DEFAULTS: dict[str, Any] = {"ExportNotes": False, "ExportNotesPages": False}

# (configuration node, property, value): nothing runs, nothing is fetched, nothing is computed anew.
PROFILE = (
    ("Office.Common/Security/Scripting", "MacroSecurityLevel", "3"),
    ("Office.Common/Security/Scripting", "DisableMacrosExecution", "true"),
    ("Office.Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("Office.Java/VirtualMachine", "Enable", "false"),
    ("Office.Writer/Content/Update", "Link", "0"),
    ("Office.Writer/Content/Update", "Field", "false"),
    ("Office.Writer/Content/Update", "Chart", "false"),
    ("Office.Calc/Content/Update", "Link", "1"),
    ("Office.Calc/Formula/Load", "OOXMLRecalcMode", "1"),
    ("Office.Calc/Formula/Load", "ODFRecalcMode", "1"),
    ("Office.Recovery/RecoveryInfo", "Enabled", "false"),
    ("Office.Recovery/AutoSave", "Enabled", "false"),
    ("Office.Common/Misc", "FirstRun", "false"),
    ("Office.Common/Misc", "CrashReport", "false"),
    ("Office.Jobs/Jobs/org.openoffice.Office.Jobs:Job['UpdateCheck']/Arguments", "AutoCheckEnabled", "false"),
)


class Office:
    """The running office and its desktop."""

    def __init__(self, program: str, home: Path) -> None:
        self._profile = home / "profile"
        self._starts = 0
        _write_profile(self._profile / "user")
        self._argv = (
            program, "--headless", "--invisible", "--norestore", "--nologo", "--nodefault", "--nolockcheck",
            "--nofirststartwizard", f"--accept={PIPE}",
        )  # fmt: skip
        self.process, context = self._started()
        self._services = context.ServiceManager
        self._desktop = self._services.createInstanceWithContext("com.sun.star.frame.Desktop", context)

    def version(self) -> str:
        """The full version, as the office itself shows it."""
        path = (_property("nodepath", "/org.openoffice.Setup/Product"),)
        provider = self._services.createInstance("com.sun.star.configuration.ConfigurationProvider")
        access = "com.sun.star.configuration.ConfigurationAccess"
        return str(provider.createInstanceWithArguments(access, path).ooSetupVersionAboutBox)

    def convert(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Load, export and close one document."""
        try:
            document = self._desktop.loadComponentFromURL(_url(_readable(request)), "_blank", 0, _load(request))
        except DisposedException:
            raise
        except Exception as failure:
            return {"error": "load", "text": _text(failure)}
        if document is None:
            return {"error": "load", "text": "the office opened no document: damaged, locked, or of another format"}
        try:
            service, _ = KINDS[request["kind"]]
            if not document.supportsService(service):
                return {"error": "load", "text": f"the office opened it, but not as {request['kind']}"}
            _fit(document, request)
            return _export(document, request)
        finally:
            with contextlib.suppress(Exception):
                document.close(True)

    def exit_code(self) -> int:
        """How the office ended: its exit code, 128 + N when signal N killed it. It is killed if it still lives."""
        try:
            code = self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return 128 - code if code < 0 else code or 1

    def _started(self) -> tuple[subprocess.Popen[bytes], Any]:
        local = uno.getComponentContext()
        resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
        end = time.monotonic() + START_S
        process = self._run()
        while True:
            try:
                return process, resolver.resolve(f"uno:{PIPE}")
            except Exception:
                if process.poll() is not None:
                    if process.returncode != NEW_PROFILE or self._starts == STARTS:
                        raise SystemExit(process.returncode or 1) from None
                    process = self._run()
                elif time.monotonic() > end:
                    process.kill()
                    raise
            time.sleep(0.02)

    def _run(self) -> subprocess.Popen[bytes]:
        # The office names a socket of its own after the profile's path, and may not be able to remove an old one.
        self._starts += 1
        profile = self._profile.with_name(f"profile-{os.getpid()}-{self._starts}")
        self._profile = self._profile.rename(profile)
        argv = (*self._argv, f"-env:UserInstallation=file://{profile}")
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=2, preexec_fn=_bound)


def _fitted(request: Mapping[str, Any]) -> bool:
    return bool(request["kind"] == "calc" and request.get("fit", "page") != "page")


def _readable(request: Mapping[str, Any]) -> str:
    """What is loaded: of a sheet that is to be fitted, a copy, since what cannot be written refuses every change."""
    source = str(request["source"])
    if not _fitted(request):
        return source
    copy = Path(os.environ["HOME"]) / f"sheet{Path(source).suffix}"
    copy.unlink(missing_ok=True)
    shutil.copyfile(source, copy)
    return str(copy)


def _fit(document: Any, request: Mapping[str, Any]) -> None:
    """Widen the columns that have no room for their text; `width` also makes every sheet one page wide."""
    if not _fitted(request):
        return
    for sheet in document.Sheets:
        cursor = sheet.createCursor()
        cursor.gotoEndOfUsedArea(False)
        for number in range(min(cursor.RangeAddress.EndColumn, MOST_COLUMNS) + 1):
            column = sheet.Columns.getByIndex(number)
            if column.IsVisible:
                width = column.Width
                column.OptimalWidth = True
                if column.Width < width:
                    column.Width = width
    if request["fit"] == "width":
        for style in document.StyleFamilies.getByName("PageStyles"):
            style.ScaleToPagesX, style.ScaleToPagesY = 1, 0


def _export(document: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    settings = EXPORT_DEFAULTS | {name: value for name, value in request["export"].items() if value is not None}
    data = tuple(_property(name, value) for name, value in sorted(settings.items()))
    filter_data = uno.Any("[]com.sun.star.beans.PropertyValue", data)
    arguments = (_property("FilterName", KINDS[request["kind"]][1]), _property("FilterData", filter_data))
    try:
        document.storeToURL(_url(request["product"]), arguments)
    except DisposedException:
        raise
    except Exception as failure:
        return {"error": "store", "text": _text(failure)}
    product = Path(request["product"])
    if not product.is_file() or not product.stat().st_size:
        return {"error": "store", "text": "the office reported success but wrote nothing"}
    pages = _pages(document, request["kind"])
    return {"ok": True} if pages is None else {"ok": True, "pages": pages}


def _pages(document: Any, kind: str) -> int | None:
    # Known without another layout: slides and drawings are pages, a text's controller has just laid them out.
    try:
        if kind in DRAWN:
            return int(document.DrawPages.Count)
        return int(document.CurrentController.PageCount) if kind in WRITTEN else None
    except DisposedException:
        raise
    except Exception:
        return None


def _load(request: Mapping[str, Any]) -> tuple[Any, ...]:
    named = {
        "Hidden": True,
        "ReadOnly": not _fitted(request),
        "Silent": True,
        "AsTemplate": False,
        "PickListEntry": False,
        "FilterName": request.get("filter"),
        "FilterOptions": request.get("filter_options"),
        "Password": request.get("password"),
    }
    modes = {"MacroExecutionMode": uno.Any("short", NEVER_EXECUTE), "UpdateDocMode": uno.Any("short", NO_UPDATE)}
    return tuple(_property(name, value) for name, value in (named | modes).items() if value is not None)


def _bound() -> None:
    """In the office before it starts: it ends with us, and is refused what the given filter refuses (seccomp(2))."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    program = bytes.fromhex(os.environ.get(WITHOUT_CONNECT, ""))
    if program:
        instructions = ctypes.create_string_buffer(program, len(program))
        header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
        if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0):
            raise OSError("seccomp")


def _property(name: str, value: Any) -> Any:
    item = PropertyValue()
    item.Name = name
    item.Value = uno.Any("long", value) if isinstance(value, int) and not isinstance(value, bool) else value
    return item


def _url(name: str) -> str:
    return str(uno.systemPathToFileUrl(str(Path(name).absolute())))


def _text(failure: Exception) -> str:
    said = str(getattr(failure, "Message", "") or failure)
    return f"{type(failure).__name__}: {said}"[:300]


def _write_profile(folder: Path) -> None:
    items = "".join(
        f'<item oor:path="/org.openoffice.{path}"><prop oor:name="{name}" oor:op="fuse">'
        f"<value>{value}</value></prop></item>"
        for path, name, value in PROFILE
    )
    folder.mkdir(parents=True)
    (folder / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<oor:items xmlns:oor="http://openoffice.org/2001/registry">' + items + "</oor:items>",
        encoding="utf-8",
    )


def _requests(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    # The lines on standard input, for as long as the office lives.
    ended = os.pidfd_open(process.pid)
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(ended, select.POLLIN)
    with open(0, "rb", buffering=0, closefd=False) as lines:
        while ended not in {fd for fd, _ in poll.poll()}:
            line = lines.readline()
            if not line:
                return
            yield json.loads(line)


def _answers() -> TextIO:
    # Whatever else is printed in this process goes to standard error and can not pass for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def main(program: str) -> int:
    """Serve until the input ends (0) or the office does (its exit code)."""
    answers = _answers()
    office = Office(program, Path(os.environ["HOME"]))
    print(json.dumps({"agents": [["LibreOffice", office.version()]]}), file=answers, flush=True)
    try:
        for request in _requests(office.process):
            print(json.dumps({**office.convert(request), "id": request["id"]}), file=answers, flush=True)
            if office.process.poll() is not None:
                break
        else:
            if office.process.poll() is None:
                return 0
    except DisposedException:
        pass
    return office.exit_code()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
