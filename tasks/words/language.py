"""The language that this process speaks to people. A command or a flow run has a process to itself, so it is one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal, get_args

Language = Literal["en", "vi", "fr"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class _Spoken:
    """Of the process and not of a thread: those that show progress or wait for jobs speak as the command does."""

    language: Language = "en"
    chosen = False


def language() -> Language:
    """The language in force."""
    return _Spoken.language


def speak(lang: Language) -> None:
    """From now on speak this language."""
    _Spoken.language, _Spoken.chosen = lang, True


def chosen() -> bool:
    """Whether somebody said which language to speak."""
    return _Spoken.chosen


@contextlib.contextmanager
def spoken(lang: Language) -> Iterator[None]:
    """Speak this language inside the block."""
    before = _Spoken.language, _Spoken.chosen
    speak(lang)
    try:
        yield
    finally:
        _Spoken.language, _Spoken.chosen = before
