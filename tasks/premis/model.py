"""The nouns of Perenne, in the words of OAIS and PREMIS 3.0.

Every value here is frozen and picklable. Sizes are bytes, times are UTC, digests are lower-case hexadecimal,
and a path is a *logical path*: clean UTF-8, `/` between its elements, relative to its AIP.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

NAMESPACE = uuid.UUID("6f1f7a0e-3f5e-5c64-9d0b-2f6a2f0d7c11")
"""The root of every name-based identifier that Perenne makes (RFC 9562, version 5)."""


class Outcome(StrEnum):
    """PREMIS eventOutcome, in the three terms of the Library of Congress vocabulary."""

    SUCCESS = "success"
    WARNING = "warning"
    FAIL = "fail"


class Ending(StrEnum):
    """How one (file, rule) ended; the words that people see everywhere."""

    DONE = "done"
    KEPT = "kept"
    HELD = "held"
    FAILED = "failed"
    WAITING = "waiting"


class EventType(StrEnum):
    """The Library of Congress event types that Perenne records."""

    INGESTION = "ingestion"
    DIGEST = "message digest calculation"
    IDENTIFICATION = "format identification"
    EXTRACTION = "metadata extraction"
    POLICY = "policy assignment"
    NORMALIZATION = "normalization"
    MIGRATION = "migration"
    VALIDATION = "validation"
    CREATION = "creation"
    FIXITY = "fixity check"


class AgentKind(StrEnum):
    """PREMIS agentType."""

    SOFTWARE = "software"
    PERSON = "person"
    ORGANIZATION = "organization"
    HARDWARE = "hardware"


class Role(StrEnum):
    """What a product is for."""

    MASTER = "master"
    TRANSCRIPT = "transcript"
    TABLE = "table"
    APPENDIX = "appendix"
    CHILD = "child"


@dataclass(frozen=True, slots=True, order=True)
class Agent:
    """Who or what acted: a program, our own code, a policy, a PRONOM release or a person, with its exact version."""

    name: str
    version: str
    kind: AgentKind = AgentKind.SOFTWARE


@dataclass(frozen=True, slots=True)
class SourceFile:
    """An original as the store holds it; its bytes are never opened for writing."""

    path: str
    size: int
    sha256: str
    parent: str | None = None


class Basis(StrEnum):
    """What an identification rests on, strongest first."""

    CONTAINER = "container"
    SIGNATURE = "signature"
    TEXT = "text"
    EXTENSION = "extension"
    EMPTY = "empty"
    ERROR = "error"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Identification:
    """PRONOM's answer for one file. `puid` is None when nothing answered; `others` are the PUIDs that tied."""

    puid: str | None
    name: str = ""
    version: str = ""
    mime: str = ""
    basis: Basis = Basis.NOTHING
    warning: str = ""
    others: tuple[str, ...] = ()
    release: str = ""


Fact = str | int | bool
Facts = Mapping[str, Fact]
"""What must be known of a file before a rule is chosen; the closed list of names is in docs/policy.md."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use before it is killed as a whole."""

    wall_s: float = 120.0
    memory_bytes: int = 2 << 30
    output_bytes: int = 1 << 30
    processes: int = 64


@dataclass(frozen=True, slots=True)
class Source:
    """An original inside a job: `name` is its path relative to the job's folder (`in/source.pdf`)."""

    file: SourceFile
    name: str
    identification: Identification
    facts: Facts


@dataclass(frozen=True, slots=True)
class Product:
    """Something that an action made inside a job: `path` is relative to the job's folder (`out/master.pdf`).

    A master whose digest equals the source's says: the original is the master.
    """

    role: Role
    path: str
    puid: str = ""
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure that a validator or action took; `value` is a decimal string so that every reader writes it alike."""

    name: str
    value: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a validator says. `code` is a row of codes.toml; `detail` fills the holes of its message."""

    outcome: Outcome
    code: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth knowing about a migration that went well (a code of the word `note`)."""

    code: str
    detail: Mapping[str, str] = field(default_factory=dict)


class Trouble(Exception):  # noqa: N818  the field's word; most troubles are results, not errors
    """A file could not be dealt with: `code` is a row of codes.toml, `detail` fills the holes of its message.

    Raised where it is known, on either side of the door; caught once, where the event is written.
    """

    def __init__(self, code: str, /, **detail: str) -> None:
        super().__init__(f"{code} {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.agents: tuple[Agent, ...] = ()
        """Who failed, where that is known by name and version."""


@dataclass(frozen=True, slots=True)
class LinkedObject:
    """PREMIS linkingObjectIdentifier: an object that an event read (`source`) or made (`outcome`)."""

    role: str
    path: str
    sha256: str
    size: int
    puid: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One act on one file, done, warned or failed: one PREMIS event, one row of the log.

    `ending` is set on exactly one event of each settled (file, rule): the one that says how it ended.
    `asked` digests everything that shaped the result; `rule` is the rule's id, empty where no rule was involved.
    `seq` counts the events of one AIP within one run.
    """

    id: uuid.UUID
    type: EventType
    time: datetime
    outcome: Outcome
    code: str
    detail: Mapping[str, str]
    asked: str
    run: uuid.UUID
    aip: uuid.UUID
    seq: int
    duration_ms: int
    policy: str
    rule: str
    ending: Ending | None
    agents: tuple[Agent, ...]
    objects: tuple[LinkedObject, ...]
    measures: tuple[Measure, ...] = ()

    @property
    def source(self) -> LinkedObject | None:
        """The file that the event is about; None for events about a whole AIP."""
        return next((o for o in self.objects if o.role == "source"), None)


def aip_id(batch: str, part: int = 1) -> uuid.UUID:
    """The AIP of a batch: the same name always means the same AIP, so that more files are a supplement.

    A delivery that is too large for one AIP has further parts, counted from 1.
    """
    first = uuid.uuid5(NAMESPACE, f"aip:{batch}")
    return first if part == 1 else uuid.uuid5(first, f"part {part}")


def object_id(aip: uuid.UUID, path: str, sha256: str) -> uuid.UUID:
    """The identifier of one file in one state: uuid5(aip, logical path, sha256)."""
    return uuid.uuid5(aip, f"{path}\n{sha256}")
