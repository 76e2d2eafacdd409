"""LibreOffice, veraPDF and Siegfried as residents, on small files made here."""

import ast
import base64
import contextlib
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import docx
import msoffcrypto.format.ooxml
import pikepdf
import pypdf
import pytest
import weasyprint

from tasks.premis.model import Trouble
from tasks.tools.floor import Floor
from tasks.tools.resident import judge, kinds
from tasks.tools.resident.program import PROGRAMS
from tasks.tools.residents import Residents

pytestmark = pytest.mark.slow

DOCX = "MS Word 2007 XML"
RTF = "Rich Text Format"
NOBODY = 65534
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory, floor: Floor) -> Iterator[Residents]:
    with contextlib.closing(Residents(tmp_path_factory.mktemp("work"), cores=1, floor=floor)) as pool:
        yield pool


def letter(text: str = "Việt Nam", pages: int = 1) -> bytes:
    document = docx.Document()
    document.add_paragraph(text)
    for _ in range(pages - 1):
        document.add_page_break()
        document.add_paragraph("more")
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def page(path: Path, variant: str | None = None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # WeasyPrint leaves its colour profile open
        weasyprint.HTML(string="<title>t</title><p>Việt Nam").write_pdf(path, pdf_variant=variant)


def convert(
    pool: Residents,
    job: Path,
    data: bytes,
    *,
    filter: str = DOCX,  # noqa: A002
    kind: str = "writer",
    export: dict[str, Any] | None = None,
    wall_s: float = 60,
    **more: Any,
) -> dict[str, Any]:
    (job / "in" / "source").write_bytes(data)
    request = {
        "files": ["in/source"], "source": "in/source", "product": "out/master.pdf", "filter": filter, "kind": kind,
        "export": export or {"SelectPdfVersion": 2}, "password": None, **more,
    }  # fmt: skip
    return pool.ask("office", job, request, wall_s=wall_s, memory_bytes=2 << 30).reply


def text_of(job: Path) -> str:
    return "".join(page.extract_text() for page in pypdf.PdfReader(job / "out" / "master.pdf").pages)


def judged(pool: Residents, job: Path, name: str, flavour: str = "2b") -> dict[str, Any]:
    request = {"files": [name], "path": name, "flavour": flavour}
    return pool.ask("verapdf", job, request, wall_s=60, memory_bytes=2 << 30).reply


# --- LibreOffice -----------------------------------------------------------------------------------------------------


def test_a_docx_becomes_a_pdf_a_that_verapdf_accepts_with_its_text_and_pages(pool, job):
    assert convert(pool, job, letter("Cộng hòa xã hội chủ nghĩa", pages=3)) == {"ok": True, "pages": 3}
    assert len(pypdf.PdfReader(job / "out" / "master.pdf").pages) == 3
    assert "Cộng hòa xã hội chủ nghĩa" in text_of(job)
    assert judged(pool, job, "out/master.pdf") == {"ok": True, "valid": True, "clauses": []}


@pytest.mark.parametrize(
    ("data", "filter", "kind", "more", "reply"),
    [
        (rb"{\rtf1\ansi Hello}", RTF, "writer", {}, {"ok": True, "pages": 1}),
        (b"<html><p>Hello</html>", "HTML (StarWriter)", "writer", {}, {"ok": True, "pages": 1}),
        (b"Hello;1\n", "Text - txt - csv (StarCalc)", "calc", {"filter_options": "59,34,76"}, {"ok": True}),
    ],
)
def test_rtf_html_and_csv_become_a_pdf(pool, job, data, filter, kind, more, reply):  # noqa: A002
    assert convert(pool, job, data, filter=filter, kind=kind, **more) == reply
    assert "Hello" in text_of(job)


def test_the_export_settings_of_the_request_are_obeyed(pool, job):
    convert(pool, job, letter(), export={"SelectPdfVersion": 3, "UseTaggedPDF": True})
    with pikepdf.open(job / "out" / "master.pdf") as pdf:
        assert pdf.open_metadata().pdfa_status == "3B"
        assert "/StructTreeRoot" in pdf.Root


@pytest.mark.parametrize(
    ("data", "filter", "kind", "error"),
    [
        (b"not a document", DOCX, "writer", "load"),
        (letter()[:2000], DOCX, "writer", "load"),
        (b"", DOCX, "writer", "load"),
        (letter(), DOCX, "calc", "load"),
    ],
)
def test_what_cannot_be_converted_is_an_error_and_the_next_file_works(pool, job, data, filter, kind, error):  # noqa: A002
    assert convert(pool, job, data, filter=filter, kind=kind)["error"] == error
    assert not (job / "out" / "master.pdf").exists()
    assert convert(pool, job, letter())["ok"]


def test_a_document_with_a_password_opens_with_it_alone(pool, job):
    locked = io.BytesIO()
    msoffcrypto.format.ooxml.OOXMLFile(io.BytesIO(letter("a secret"))).encrypt("mật khẩu", locked)
    assert convert(pool, job, locked.getvalue())["error"] == "load"
    assert convert(pool, job, locked.getvalue(), password="wrong")["error"] == "load"
    assert convert(pool, job, locked.getvalue(), password="mật khẩu")["ok"]
    assert "a secret" in text_of(job)


def test_comments_do_not_become_annotations(pool, job):
    data = rb"{\rtf1 text{\*\atnid X}{\*\atnauthor Y}\chatn{\*\annotation a remark}}"
    assert convert(pool, job, data, filter=RTF)["ok"]
    with pikepdf.open(job / "out" / "master.pdf") as pdf:
        assert "/Annots" not in pdf.pages[0]


def test_every_setting_of_the_profile_is_one_that_this_office_knows():
    source = ast.parse((PROGRAMS / "office.py").read_text())
    rows = next(
        ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PROFILE"
    )
    binary = Path(kinds.program("office", Path(), kinds.Options()).argv[-1])
    schemas = "".join(path.read_text() for path in (binary.parents[1] / "share" / "registry").glob("*.xcd"))
    known = {}
    for tag, body in re.findall(SCHEMA, schemas, re.DOTALL):
        named = dict(re.findall(r'oor:(name|package)="([^"]*)"', tag))
        known[f"{named['package']}.{named['name']}".removeprefix("org.openoffice.")] = body
    assert {("Office.Common", "MacroSecurityLevel"), ("Office.Java", "Enable")} < {
        (p.split("/")[0], n) for p, n, _ in rows
    }
    for path, name, _ in rows:
        component, *groups = path.split("/")
        if component != "Office.Jobs":  # a set, whose members are no part of the schema
            assert all(f'oor:name="{word}"' in known[component] for word in (*groups, name)), (path, name)


def test_an_office_that_dies_is_replaced_and_the_file_gets_another_try(pool, job):
    convert(pool, job, letter())
    _kill_office()
    assert convert(pool, job, letter())["ok"]


def test_an_office_killed_at_work_on_a_fresh_start_gets_one_more_try(job, tmp_path):
    with contextlib.closing(Residents(tmp_path / "work", cores=1)) as pool:
        killer = threading.Thread(target=_kill_office, kwargs={"patience_s": 20, "at_work_in": tmp_path})
        killer.start()
        assert convert(pool, job, heavy(5_000), filter=RTF)["ok"]
        killer.join()
        assert convert(pool, job, letter())["ok"]


def test_behind_the_fence_an_office_whose_keeper_is_killed_ends_with_it(job, tmp_path):
    with contextlib.closing(Residents(tmp_path / "work", cores=1, floor=Floor.LANDLOCK)) as pool:
        convert(pool, job, letter())
        (office,) = pool._owned["office"]
        mine = [pid for pid in _pids("soffice.bin") if _below(pid, office._process.pid)]
        assert mine
        os.kill(office._process.pid, signal.SIGKILL)
        end = time.monotonic() + 30
        while any(map(_runs, mine)) and time.monotonic() < end:
            time.sleep(0.05)
        assert not any(map(_runs, mine))
        assert convert(pool, job, letter())["ok"]


def test_a_document_that_takes_too_long_is_stopped_and_the_next_one_works(pool, job):
    with pytest.raises(Trouble) as caught:
        convert(pool, job, heavy(), filter=RTF, wall_s=0.5)
    assert caught.value.code == "tool-timeout"
    assert not [pid for pid in _pids("soffice.bin") if _below(pid, os.getpid())]
    assert convert(pool, job, letter())["ok"]


def test_a_linked_picture_is_read_from_the_job_but_not_from_the_host(pool, job, tmp_path, floor):
    (tmp_path / "picture.png").write_bytes(PICTURE)
    (job / "in" / "picture.png").write_bytes(PICTURE)
    # Behind the fence the job's folder has its true name, which no document knows.
    own = Path("/job/in") if floor is Floor.BUBBLEWRAP else pool._root / "office-0" / "in"
    for place, seen in ((tmp_path, False), (own, True)):
        data = rb'{\rtf1 x{\field{\*\fldinst INCLUDEPICTURE "file://%s/picture.png" }{\fldrslt}}}' % bytes(place)
        assert convert(pool, job, data, filter=RTF, files=["in/source", "in/picture.png"])["ok"]
        with pikepdf.open(job / "out" / "master.pdf") as pdf:
            assert bool(pdf.pages[0].get_images()) is seen


def test_a_linked_picture_is_fetched_without_the_sandbox_and_not_inside_it(pool, job, tmp_path):
    with _listening() as (port, calls):
        html = b'<html><p>Hello<img src="http://127.0.0.1:%d/x.png"></html>' % port
        assert convert(pool, job, html, filter="HTML (StarWriter)")["ok"]
        assert convert(pool, job, _linking(f"http://127.0.0.1:{port}/y.png"))["ok"]
        assert calls == []
        _convert_without_sandbox(tmp_path, html)
        assert calls


# --- veraPDF ---------------------------------------------------------------------------------------------------------


def test_verapdf_accepts_a_pdf_a_and_names_the_clauses_that_a_plain_pdf_breaks(pool, job):
    page(job / "in" / "good.pdf", "pdf/a-2b")
    page(job / "in" / "plain.pdf")
    assert judged(pool, job, "in/good.pdf") == {"ok": True, "valid": True, "clauses": []}
    reply = judged(pool, job, "in/plain.pdf")
    assert (reply["ok"], reply["valid"]) == (True, False)
    assert [clause[:2] for clause in reply["clauses"]] == [["6.1.3", 1], ["6.2.4.3", 2], ["6.6.2.1", 1]]
    assert all(count > 0 and message for _, _, count, message in reply["clauses"])


@pytest.mark.parametrize("flavour", ["1a", "1b", "2a", "2b", "2u", "3a", "3b", "3u", "4", "4e", "4f"])
def test_every_flavour_has_a_profile_and_a_plain_pdf_breaks_it(pool, job, flavour):
    page(job / "in" / "plain.pdf")
    reply = judged(pool, job, "in/plain.pdf", flavour)
    assert reply["valid"] is False
    assert reply["clauses"]


def test_verapdf_says_why_it_cannot_judge_and_judges_the_next(pool, job):
    (job / "in" / "bad.pdf").write_bytes(b"%PDF-1.7 and no more")
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(job / "in" / "locked.pdf", encryption=pikepdf.Encryption(owner="a", user="b"))
    assert judged(pool, job, "in/bad.pdf")["error"] == "parse"
    assert judged(pool, job, "in/locked.pdf")["error"] == "encrypted"
    assert judged(pool, job, "in/locked.pdf", "7z")["error"] == "parse"
    page(job / "in" / "plain.pdf", "pdf/a-3u")
    assert judged(pool, job, "in/plain.pdf", "3u")["valid"]


def test_verapdf_tells_its_own_version(pool, job):
    (job / "in" / "bad.pdf").write_bytes(b"")
    request = {"files": ["in/bad.pdf"], "path": "in/bad.pdf", "flavour": "2b"}
    answer = pool.ask("verapdf", job, request, wall_s=60, memory_bytes=2 << 30)
    told = {agent.name: agent.version for agent in answer.agents}
    jar = judge.engine()
    listing = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(jar)], capture_output=True, text=True, check=True
    ).stdout
    assert "org/verapdf/release/library.properties" in listing
    assert told["veraPDF"].count(".") == 2


def test_the_judge_that_an_installation_compiled_serves_all_homes_whatever_the_umask(tmp_path, monkeypatch):
    def judge_of(home):
        return Path(kinds.program("verapdf", home, kinds.Options()).argv[-2].split(os.pathsep)[0])

    monkeypatch.setattr(judge, "INSTALLED", tmp_path / "installation")
    assert judge_of(tmp_path / "a").parent == tmp_path / "a"
    before = os.umask(0o077)
    try:
        made = judge.compiled(judge.found("java", "Java"), judge.engine().resolve(), judge.INSTALLED / "new")
    finally:
        os.umask(before)
    (tmp_path / "installation").chmod(0o755)
    assert all(path.stat().st_mode & 0o044 for path in (made, *made.iterdir()))
    made.rename(judge.INSTALLED / made.name)
    assert judge_of(tmp_path / "b") == judge.INSTALLED / made.name
    assert not (tmp_path / "b").exists()


def test_without_a_compiler_the_judge_runs_from_its_source(job, tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "compiled", lambda java, jar, cache: None)
    page(job / "in" / "good.pdf", "pdf/a-2b")
    with contextlib.closing(Residents(tmp_path / "work", cores=1)) as pool:
        assert judged(pool, job, "in/good.pdf")["valid"]


@pytest.mark.parametrize("kind", ["operators", "deep", "pages"])
def test_a_pdf_that_grows_without_end_is_stopped_within_the_limits_and_the_next_is_judged(pool, job, kind):
    (job / "in" / "bomb.pdf").write_bytes(bomb(kind))
    request = {"files": ["in/bomb.pdf"], "path": "in/bomb.pdf", "flavour": "2b"}
    start = time.monotonic()
    with contextlib.suppress(Trouble):
        reply = pool.ask("verapdf", job, request, wall_s=5, memory_bytes=2 << 30).reply
        assert reply.get("valid") is not True
    assert time.monotonic() - start < 5 + 10  # the end of the old engine and the start of a new one on a busy machine
    assert not [pid for pid in _pids("java") if _below(pid, os.getpid()) and _uses(pid) > 2.4 * (1 << 30)]
    page(job / "in" / "good.pdf", "pdf/a-2b")
    assert judged(pool, job, "in/good.pdf")["valid"]


# --- Siegfried -------------------------------------------------------------------------------------------------------


def test_siegfried_names_many_files_at_once_and_an_empty_one_is_an_answer(pool, job):
    (job / "in" / "letter.docx").write_bytes(letter())
    (job / "in" / "Thư mời.rtf").write_bytes(rb"{\rtf1\ansi\ansicpg1252\deff0 Hello}")
    (job / "in" / "empty").write_bytes(b"")
    names = ["in/letter.docx", "in/Thư mời.rtf", "in/empty"]
    reply = pool.ask("siegfried", job, {"files": names}, wall_s=20, memory_bytes=1 << 30).reply
    assert [match["puid"] for match in reply["answers"]["in/letter.docx"]] == ["fmt/412"]
    assert "container name" in reply["answers"]["in/letter.docx"][0]["basis"]
    assert reply["answers"]["in/Thư mời.rtf"][0]["mime"] == "application/rtf"
    assert reply["answers"]["in/empty"] == [
        {"puid": None, "name": "", "version": "", "mime": "", "basis": "", "warning": "no match"}
    ]
    assert reply["errors"] == {"in/empty": "empty source"}
    assert reply["release"].startswith("V")


def test_siegfried_is_stopped_on_files_that_ask_for_too_much_and_names_the_next(pool, job):
    """A zip of 20,000 members, a compound file whose table runs in circles, and 64 MiB of one signature's beginning."""
    with zipfile.ZipFile(job / "in" / "many.zip", "w") as many:
        for number in range(20_000):
            many.writestr(f"{number}/[Content_Types].xml", b"")
    (job / "in" / "loop.doc").write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(22) + b"\x09\x00\x06\x00" + bytes(4062)
    )
    (job / "in" / "long.bin").write_bytes(b"%PDF-" * (12 << 20))
    for name in ("in/many.zip", "in/loop.doc", "in/long.bin"):
        start = time.monotonic()
        with contextlib.suppress(Trouble):
            pool.ask("siegfried", job, {"files": [name]}, wall_s=10, memory_bytes=1 << 30)
        assert time.monotonic() - start < 10 + 10
    (job / "in" / "a.rtf").write_bytes(rb"{\rtf1\ansi\ansicpg1252\deff0 Hello}")
    reply = pool.ask("siegfried", job, {"files": ["in/a.rtf"]}, wall_s=20, memory_bytes=1 << 30).reply
    assert reply["answers"]["in/a.rtf"][0]["mime"] == "application/rtf"


# --- whoever starts them ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests are those of an ordinary user already")
def test_an_ordinary_user_has_an_office_and_a_verapdf_too():
    with tempfile.TemporaryDirectory() as home:  # pytest's own folders are closed to others
        (Path(home) / "job" / "in").mkdir(parents=True)
        (Path(home) / "job" / "out").mkdir()
        (Path(home) / "job" / "in" / "source").write_bytes(letter())
        for path in (Path(home), *Path(home).rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        assert _as_nobody(home) == "True True\n"


def test_kill_9_of_the_parent_ends_a_busy_office_and_an_idle_verapdf(job, tmp_path):
    (job / "in" / "source").write_bytes(heavy())
    root = str(Path(kinds.__file__).parents[3])
    argv = [sys.executable, "-c", BUSY, str(tmp_path / "work"), str(job)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"parse\n"
        end = time.monotonic() + 30
        while not (
            started := [pid for word in ("soffice.bin", "java") for pid in _pids(word) if _below(pid, parent.pid)]
        )[1:]:
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.5)
        parent.kill()
    time.sleep(0.5)
    assert len(started) == 2
    assert not set(started) & {*_pids("soffice.bin"), *_pids("java")}


BUSY = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from tasks.tools.residents import Residents
    pool, job = Residents(Path(sys.argv[1]), cores=1), Path(sys.argv[2])
    ask = lambda kind, request: pool.ask(kind, job, request, wall_s=60, memory_bytes=2 << 30).reply
    print(ask("verapdf", {"files": ["in/source"], "path": "in/source", "flavour": "2b"})["error"], flush=True)
    ask("office", {"files": ["in/source"], "source": "in/source", "product": "out/m.pdf",
        "filter": "Rich Text Format", "kind": "writer", "export": {"SelectPdfVersion": 2}, "password": None})
    """
)


def _as_nobody(home: str) -> str:
    code = Path(home, "code")  # a copy that nobody can read: the checkout may lie below /root
    shutil.copytree(Path(kinds.__file__).parents[2], code / "tasks")
    for file in metadata.files(judge.ENGINE[0]) or []:
        target = code / file
        if ".." not in target.parts:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(file.locate()), target)
    for path in (code, *code.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    done = subprocess.run(
        [kinds.SYSTEM_PYTHON, "-c", ORDINARY, home],
        user=NOBODY, group=NOBODY, extra_groups=[], env={"PYTHONPATH": str(code), "PATH": os.environ["PATH"]},
        capture_output=True, text=True, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


ORDINARY = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from tasks.tools.residents import Residents
    home = Path(sys.argv[1])
    pool = Residents(home / "work", cores=1)
    ask = lambda kind, request: pool.ask(kind, home / "job", request, wall_s=60, memory_bytes=2 << 30).reply
    converted = ask("office", {"files": ["in/source"], "source": "in/source", "product": "out/m.pdf",
        "filter": "MS Word 2007 XML", "kind": "writer", "export": {"SelectPdfVersion": 2}, "password": None})
    judged = ask("verapdf", {"files": ["out/m.pdf"], "path": "out/m.pdf", "flavour": "2b"})
    print(converted["ok"], judged["valid"])
    pool.close()
    """
)


def bomb(kind: str) -> bytes:
    """A small PDF that is large inside: 20 million operators, arrays 100,000 deep, or 300,000 pages of one object."""
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page()
        if kind == "operators":
            page.Contents = pdf.make_stream(
                zlib.compress(b"q " * 20_000_000 + b"Q " * 20_000_000), Filter=pikepdf.Name.FlateDecode
            )
        if kind == "pages":
            pdf.Root.Pages.Kids = pikepdf.Array([page.obj] * 300_000)
            pdf.Root.Pages.Count = 300_000
        made = io.BytesIO()
        pdf.save(made, compress_streams=False)
    data = made.getvalue()
    deep = b"[" * 100_000 + b"]" * 100_000
    return data.replace(b"/MediaBox", b"/Deep " + deep + b" /MediaBox", 1) if kind == "deep" else data


def _uses(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    return 0


# --- what the tests are made of --------------------------------------------------------------------------------------

SCHEMA = r"<oor:component-schema ([^>]*)>(.*?)</oor:component-schema>"


def heavy(tables: int = 20_000) -> bytes:
    """An RTF of one-cell tables: 5,000 keep the office busy for 3 seconds, 20,000 for 110."""
    return rb"{\rtf1 " + rb"\trowd\cellx5000 x\cell\row\pard\par " * tables + b"}"


def _linking(address: str) -> bytes:
    document = docx.Document()
    document.add_picture(io.BytesIO(PICTURE))
    blip = document.element.body.xpath(".//a:blip")[0]
    relation = document.part.relate_to(address, docx.opc.constants.RELATIONSHIP_TYPE.IMAGE, is_external=True)
    del blip.attrib["{http://schemas.openxmlformats.org/officeDocument/2006/relationships}embed"]
    blip.set("{http://schemas.openxmlformats.org/officeDocument/2006/relationships}link", relation)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


@contextlib.contextmanager
def _listening() -> Iterator[tuple[int, list[bytes]]]:
    calls: list[bytes] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection:
                    calls.append(connection.recv(1000))
                    connection.sendall(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], calls
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def _convert_without_sandbox(folder: Path, html: bytes) -> None:
    (folder / "page").write_bytes(html)
    binary = kinds.program("office", folder, kinds.Options()).argv[-1]
    options = ("--headless", "--norestore", f"-env:UserInstallation=file://{folder}/profile")
    argv = [
        binary,
        *options,
        "--infilter=HTML (StarWriter)",
        "--convert-to",
        "pdf",
        "--outdir",
        folder,
        folder / "page",
    ]
    environment = {"HOME": str(folder), "SAL_USE_VCLPLUGIN": "svp", "PATH": os.environ["PATH"]}
    for _ in range(2):  # a new profile asks to be started again
        if subprocess.run(argv, env=environment, capture_output=True, timeout=60).returncode != 81:
            return


def _pids(word: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().split(b"\0")[0].endswith(word.encode()):
                found.append(int(path.parent.name))
    return found


def _runs(pid: int) -> bool:
    # What nobody has buried yet has ended, too: an orphan's grave is dug by the machine's first process.
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _below(pid: int, ancestor: int) -> bool:
    while pid > 1 and pid != ancestor:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return pid == ancestor


def _offices() -> list[int]:
    return [pid for pid in _pids("soffice.bin") if _below(pid, os.getpid())]


def _killed(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _kill_office(patience_s: float = 0, at_work_in: Path | None = None) -> None:
    # Only an office of these tests; when `at_work_in` is given, not before its document is there.
    end = time.monotonic() + patience_s
    while True:
        ready = at_work_in is None or any(at_work_in.rglob("slots/office-0/in/source"))
        if ready and _offices():
            time.sleep(0.3 if at_work_in else 0)
            killed = [pid for pid in _offices() if _killed(pid)]  # with a new profile it starts once more
            time.sleep(0.2)
            if killed:
                return
        assert time.monotonic() < end
        time.sleep(0.05)
