"""A policy is loaded whole or refused whole, every mistake with its line and its mend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.config.home import Home
from tasks.policy import load as loading
from tasks.policy.load import DEFAULT, PolicyError, find, load

GOOD = """id = "test-1"
[[rule]]
id = "kept"
puids = ["fmt/18"]
purpose = "preservation"
action = "keep"
because = "a test"
[[rule]]
id = "any"
puids = ["*"]
purpose = "preservation"
action = "keep"
because = "the rest"
"""


A_TEST = 'because = "a test"'
AGAIN = """[[rule]]
id = "again"
puids = ["fmt/18"]
purpose = "preservation"
action = "keep"
because = "b"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, text: str) -> tuple[loading.Fault, ...]:
    with pytest.raises(PolicyError) as refused:
        load(written(tmp_path, text))
    return refused.value.faults


def test_the_default_policy_loads_and_answers_for_every_format() -> None:
    policy = load(DEFAULT)
    assert policy.rules_for("fmt/99999", {})[0].action == "keep"
    assert policy.rules_for(None, {})[0].action == "keep"


def test_every_default_rule_has_a_reason_a_sentence_long() -> None:
    assert all(rule.because.endswith(".") and len(rule.because) > 20 for rule in load(DEFAULT).rules)


@pytest.mark.parametrize(
    ("old", "new", "line", "seen", "mend"),
    [
        ('action = "keep"\nbecause = "a test"', 'action = "kep"\nbecause = "a test"', 6, 'action = "kep"', '"keep"'),
        ('puids = ["fmt/18"]', 'puids = ["fmt-18"]', 4, 'puids has "fmt-18"', "fmt/18"),
        ('because = "a test"', "", 2, "because is missing", "because = …"),
        ('purpose = "preservation"', 'purpose = "keeping"', 5, 'purpose = "keeping"', "preservation"),
        ('id = "kept"', 'id = "Kept!"', 3, 'id = "Kept!"', "small letters"),
        (A_TEST, A_TEST + '\nwhen = { scaned = true }', 8, "fact scaned is not known", '"scanned"'),
        (A_TEST, A_TEST + '\nwhen = { scanned = "yes" }', 8, 'scanned = "yes"', "true or false"),
        (A_TEST, A_TEST + '\nlimits = { wall = 3 }', 8, "limit wall is not known", '"wall_s"'),
        (A_TEST, A_TEST + '\nlimits = { wall_s = 0 }', 8, "wall_s = 0", "above zero"),
        (A_TEST, A_TEST + '\nvalidators = { pdfaa = {} }', 8, "validator pdfaa is not known", '"pdfa"'),
        (A_TEST, A_TEST + '\nparameters = { colour = 1 }', 8, "colour = 1", "Allowed"),
        (A_TEST, A_TEST + '\ncolour = 1', 8, "unknown column colour", "Allowed"),
        ('id = "any"\npuids = ["*"]', 'id = "any"\npuids = ["*", "fmt/1"]', 10, '"*" with others', "stands alone"),
        ('id = "any"', 'id = "kept"', 9, "id kept stands twice", "another id"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_its_line_and_its_mend(
    tmp_path: Path, old: str, new: str, line: int, seen: str, mend: str
) -> None:
    assert old in GOOD
    (fault,) = faults(tmp_path, GOOD.replace(old, new, 1))
    assert fault.line == line
    assert seen in fault.seen
    assert mend in fault.mend


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    broken = GOOD.replace('"fmt/18"', '"fmt-18"').replace('because = "the rest"', "")
    assert len(faults(tmp_path, broken)) == 2


def test_two_answers_for_one_format_are_refused(tmp_path: Path) -> None:
    double = GOOD.replace('[[rule]]\nid = "any"', AGAIN + '[[rule]]\nid = "any"')
    (fault,) = faults(tmp_path, double)
    assert "fmt/18 is answered by kept too" in fault.seen


def test_a_policy_without_a_row_for_the_rest_is_refused(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, GOOD.split('[[rule]]\nid = "any"')[0])
    assert '"*"' in fault.seen


def test_broken_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, 'id = "x"\nid = "y"\n')
    assert fault.line == 2


@pytest.mark.parametrize(
    ("value", "mend"),
    [('compression = "zip"', '"deflate"'), ("compression = 1", '"none"'), ('megapixels = "9"', "Write a whole number")],
)
def test_a_parameter_of_another_kind_or_word_is_refused(tmp_path: Path, value: str, mend: str) -> None:
    rule = f'target = "fmt/353"\naction = "image_to_tiff"\nparameters = {{ {value} }}\nbecause = "a test"'
    (fault,) = faults(tmp_path, GOOD.replace('action = "keep"\nbecause = "a test"', rule))
    assert fault.line == 8
    assert mend in fault.mend


def test_the_message_says_that_no_file_was_touched(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="No file was touched"):
        load(written(tmp_path, GOOD.replace("keep", "kep")))


def test_an_unknown_policy_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="is not there"):
        find("nowhere", Home(tmp_path))


def test_a_policy_of_the_home_goes_before_ours(tmp_path: Path) -> None:
    own = tmp_path / "policies" / "default.toml"
    own.parent.mkdir()
    own.write_text(GOOD)
    assert find("default", Home(tmp_path)) == own


@pytest.mark.parametrize("lay", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_a_policy_of_the_home_that_is_no_file_is_refused_and_not_passed_over(tmp_path: Path, lay) -> None:
    own = tmp_path / "policies" / "default.toml"
    own.parent.mkdir()
    lay(own)
    with pytest.raises(PolicyError, match="is not a file"):
        find("default", Home(tmp_path))


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 100_000])
def test_a_policy_that_no_parser_can_hold_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(PolicyError):
        load(written(tmp_path, f"id = {value}"))


@pytest.mark.parametrize(
    ("text", "line", "mend"),
    [
        ('id = "x-1"\nrule = 3\n', 2, "[[rule]]"),
        ('id = "x-1"\nrule = [1]\n', 2, "[[rule]]"),
        ('id = "x-1"\n\n[rule]\nid = "a"\n', 3, "[[rule]]"),
        (GOOD.replace('action = "keep"\nbecause = "a test"', 'action = ["keep"]\nbecause = "a test"'), 6, "quotes"),
        (GOOD.replace('id = "kept"', "id = 7"), 3, "quotes"),
    ],
)
def test_what_is_of_another_kind_than_it_must_be_is_a_fault_with_its_line(
    tmp_path: Path, text: str, line: int, mend: str
) -> None:
    (fault,) = faults(tmp_path, text)
    assert fault.line == line
    assert mend in fault.mend


def test_the_faults_stand_in_the_order_of_the_file_as_toml_writes_them(tmp_path: Path) -> None:
    broken = GOOD.replace('"fmt/18"', '"fmt-18"').replace('id = "any"', 'id = "Any"')
    with pytest.raises(PolicyError) as refused:
        load(written(tmp_path, broken))
    assert str(refused.value).splitlines() == [
        "policy.toml has 2 faults. No file was touched.",
        'line 4  rule kept  puids has "fmt-18"',
        '        → A PUID looks like "fmt/18" or "x-fmt/111".',
        'line 9  rule Any   id = "Any"',
        "        → Use small letters, digits and hyphens: it becomes part of file names.",
    ]


def test_a_comment_changes_no_digest_and_a_parameter_does(tmp_path: Path) -> None:
    one = load(written(tmp_path, GOOD)).rules[0].digest
    assert load(written(tmp_path, "# a word\n" + GOOD)).rules[0].digest == one
    changed = GOOD.replace(A_TEST, A_TEST + "\nlimits = { wall_s = 7 }")
    assert load(written(tmp_path, changed)).rules[0].digest != one
