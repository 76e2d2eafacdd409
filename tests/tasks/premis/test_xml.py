from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from tasks.premis import xml
from tasks.premis.model import Agent, AgentKind, Ending, EventType, Outcome, object_id
from tests.tasks.premis.events import AIP, EVENTS, event, master

ROOT = Path(__file__).parents[3]
SPACE = {"p": "http://www.loc.gov/premis/v3"}
XSD = Path(os.environ.get("PERENNE_PREMIS_XSD") or ROOT / ".." / "shared" / "schemas" / "premis-v3.xsd")
XSD_SHA256 = "1caafa82dcfa8f4d6f2468110d7af685637d619ad668d8fe9a5567bf1ddbf473"
MADE = master("masters/originals/báo-cáo.doc/doc-2u.pdf")


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    """The schema of PREMIS 3.0 as the Library of Congress published it on 18 January 2016."""
    if not XSD.is_file():
        missing = f"no PREMIS 3.0 schema at {XSD}: set PERENNE_PREMIS_XSD"
        if os.environ.get("CI") or os.environ.get("REQUIRE_TOOLS"):
            pytest.fail(missing)
        pytest.skip(missing)
    assert hashlib.sha256(XSD.read_bytes()).hexdigest() == XSD_SHA256
    return etree.XMLSchema(etree.parse(XSD))


def texts(document: bytes, path: str) -> list[str]:
    return [found.text for found in etree.fromstring(document).iterfind(path, SPACE)]


def story() -> list:
    """An ingestion, a failed try, a migration by a person's leave, and a check of the whole AIP."""
    lost = {"lost": "3", "total": "1,004"}
    person = Agent("Đặng Thị Ngọc Quỳnh", "", AgentKind.PERSON)
    whole = dataclasses.replace(event(4, kind=EventType.FIXITY, rule=""), objects=(), measures=())
    return [
        event(1, kind=EventType.INGESTION, rule=""),
        event(2, code="text-lost", detail=lost, outcome=Outcome.FAIL, ending=Ending.HELD, products=(MADE,)),
        event(3, code="same", ending=Ending.DONE, products=(MADE,), agents=(person, Agent("pikepdf", "10.18.0"))),
        whole,
    ]


def test_a_story_is_valid_premis_3(schema):
    schema.assertValid(etree.fromstring(xml.premis(AIP, story())))


@given(st.lists(EVENTS, max_size=4, unique_by=lambda e: e.id))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_events_hold_the_document_is_valid(schema, events):
    schema.assertValid(etree.fromstring(xml.premis(AIP, events)))


def test_an_aip_without_events_and_files_is_valid(schema):
    schema.assertValid(etree.fromstring(xml.premis(AIP, [])))


def test_source_and_master_point_to_each_other_and_to_the_event_that_made_it():
    events = story()
    document = etree.fromstring(xml.premis(AIP, events))
    source, made = (str(object_id(AIP, o.path, o.sha256)) for o in events[2].objects)
    for one, kind, other in ((source, "is source of", made), (made, "has source", source)):
        (found,) = document.xpath(f"//p:object[p:objectIdentifier/*='{one}']", namespaces=SPACE)
        assert found.findtext(".//p:relationshipSubType", namespaces=SPACE) == kind
        assert found.findtext(".//p:relatedObjectIdentifierValue", namespaces=SPACE) == other
        assert found.findtext(".//p:relatedEventIdentifierValue", namespaces=SPACE) == str(events[2].id)


def test_an_object_tells_path_digests_size_and_format():
    file = xml.File(
        "originals/a/b.doc", "ab" * 32, 61_000, "fmt/40", "Microsoft Word Document", "97-2003", sha512="cd" * 64
    )
    document = xml.premis(AIP, [], [file, xml.File("masters/x", "", 0)])
    assert texts(document, ".//p:originalName") == ["a/b.doc"]
    assert texts(document, ".//p:messageDigestAlgorithm") == ["SHA-256", "SHA-512"]
    assert texts(document, ".//p:size") == ["61000", "0"]
    assert texts(document, ".//p:formatName") == ["Microsoft Word Document", "unknown"]
    assert texts(document, ".//p:formatRegistryKey") == ["fmt/40"]


def test_an_event_tells_type_outcome_code_message_and_figures():
    document = xml.premis(AIP, story())
    notes = texts(document, ".//p:event[2]//p:eventOutcomeDetailNote")
    assert notes[0] == "text-lost: 3 of 1,004 words of the source are missing or wrong in the product."
    assert notes[1:] == ["ending: held", "lost: 3", "total: 1,004", "similarity: 0.998", "words: 1004 1"]
    kind = etree.fromstring(document).find(".//p:event[3]/p:eventType", SPACE)
    assert kind.get("valueURI") == "http://id.loc.gov/vocabulary/preservation/eventType/nor"
    assert texts(document, ".//p:event[1]/p:eventDateTime") == ["2024-11-21T19:05:01Z"]


def test_a_file_has_the_format_that_was_found_and_both_digests():
    found = event(
        1,
        kind=EventType.IDENTIFICATION,
        code="",
        detail={"puid": "fmt/40", "format": "Microsoft Word", "format_version": "97"},
    )
    digested = event(2, kind=EventType.DIGEST, code="", detail={"sha512": "ef" * 64})
    document = xml.premis(AIP, [found, digested])
    assert texts(document, ".//p:formatName")[0] == "Microsoft Word"
    assert texts(document, ".//p:formatVersion")[0] == "97"
    assert "ef" * 64 in texts(document, ".//p:messageDigest")
    assert "puid: fmt/40" in texts(document, ".//p:eventOutcomeDetailNote")


def test_every_agent_is_described_once_with_version_and_kind():
    document = xml.premis(AIP, story() + story())
    assert texts(document, ".//p:agent/p:agentName") == ["LibreOffice", "pikepdf", "Đặng Thị Ngọc Quỳnh"]
    assert texts(document, ".//p:agentVersion") == ["7.4.7.2", "10.18.0"]
    assert texts(document, ".//p:agentType") == ["software", "software", "person"]
    described = texts(document, ".//p:agentIdentifierValue")
    assert set(texts(document, ".//p:linkingAgentIdentifierValue")) == set(described)


def test_an_event_about_the_whole_aip_points_to_the_aip():
    document = xml.premis(AIP, story())
    assert texts(document, ".//p:event[4]//p:linkingObjectIdentifierValue") == [str(AIP)]
    assert texts(document, ".//p:object[1]//p:objectIdentifierValue") == [str(AIP)]


def test_letters_that_xml_cannot_carry_are_spelled_out():
    odd = "a\x00b\x1bc\ufffe<&>\rd\n\t" + chr(0xDC80)
    document = xml.premis(AIP, [], [xml.File("originals/x", "ab" * 32, 1, format_name=odd)])
    assert texts(document, ".//p:formatName") == ["a\\u0000b\\u001bc\\ufffe<&>\\u000dd\n\t\\udc80"]


def test_a_code_of_a_later_release_is_shown_by_its_name():
    document = xml.premis(AIP, [event(1, code="not-yet-known")])
    assert "not-yet-known" in texts(document, ".//p:eventOutcomeDetailNote")


def test_objects_and_events_are_taken_one_at_a_time():
    taken: list[str] = []

    class Sink(io.RawIOBase):
        def write(self, data) -> int:
            taken.append("written")
            return len(data)

    def objects():
        for number in range(3):
            taken.append("object")
            yield xml.File(f"originals/{number}", "ab" * 32, 1)

    xml.write(Sink(), AIP, objects(), iter(()))
    assert taken[2:8] == ["object", "written"] * 3


MANY = """
import resource, sys, uuid
from tasks.premis import xml
from tests.tasks.premis.events import AIP, event, master
def objects(n):
    return (xml.File(f"originals/{i}", "ab" * 32, 1, "fmt/40") for i in range(n))
def events(n):
    return (event(i, path=f"originals/{i // 8}", products=(master(f"masters/{i // 8}"),)) for i in range(8 * n))
def rss():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open(sys.argv[1], "wb") as out:
    xml.write(out, AIP, objects(50), events(50))
    before = rss()
    xml.write(out, AIP, objects(4000), events(4000))
print(rss() - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_aip(tmp_path):
    target = tmp_path / "v1.xml"
    command = [sys.executable, "-c", MANY, str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert target.stat().st_size > 20_000_000
    assert int(done.stdout) < 8_000  # kB


def test_the_same_agent_has_the_same_identifier_everywhere():
    assert xml.agent_id(Agent("veraPDF", "1.31")) == xml.agent_id(Agent("veraPDF", "1.31"))
    assert xml.agent_id(Agent("veraPDF", "1.31")) != xml.agent_id(Agent("veraPDF", "1.32"))
    assert isinstance(xml.agent_id(Agent("x", chr(0xDC80))), uuid.UUID)
