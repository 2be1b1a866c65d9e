"""The table fits a terminal, the page opens anywhere, and both say what is wrong."""

import re
from html.parser import HTMLParser

import pytest

from drills.matrix.page import html
from drills.matrix.report import SIGNS, report, sign
from drills.matrix.table import WIDTH, line_of, text
from tests.drills.matrix.rows import ALL, APART, healthy, matrix, row

MUST = {"must": ("error_rate", "metrics_move"), "may": ("p95_response_time",)}
GOOD = row("broken", "error_rate", "metrics_move", **MUST)
ODD = row(
    "a-fault-with-a-name-that-is-much-longer-than-the-column",
    "error_rate",
    "debug_off",
    "p95_response_time",
    inconclusive=("token_required",),
    **MUST,
)
LOST = row("lost", trouble="not injected: <script>alert(1)</script> & more")


def reported(*rows, whole=False):
    made = matrix(*rows)
    return made, report(made, whole=whole, wanted=[each.fault for each in rows if each.family])


@pytest.mark.parametrize(
    ("criterion", "means"),
    [
        ("error_rate", "failed, as it has to"),
        ("p95_response_time", "failed, as it may"),
        ("debug_off", "false alarm"),
        ("metrics_move", "false silence"),
        ("token_required", "could not tell"),
        ("service_ready", "passed"),
        ("hosts_agree", "does not apply"),
    ],
)
def test_each_cell_has_its_sign(criterion, means):
    assert SIGNS[sign(ODD, criterion)] == means


def test_what_nobody_could_ask_is_no_silence():
    dead = row("dead", "service_ready", inconclusive=("error_rate",), must=("service_ready", "error_rate"))
    assert SIGNS[sign(dead, "error_rate")] == "could not tell"


def test_the_table_fits_and_tells_everything():
    told = text(*reported(healthy(), GOOD, ODD, LOST))
    assert max(map(len, told.splitlines())) <= WIDTH
    assert "metrics_move is pass" in told
    assert "debug_off is bad" in told
    assert "? lost: not injected" in told
    assert told.splitlines()[-1].startswith("HOLES · a part: 3 faults · 2 holes, 1 inconclusive")


def test_a_matrix_without_a_hole_says_so():
    made, told = reported(healthy(), GOOD)
    assert (told.exit_code, text(made, told).splitlines()[-1][:7]) == (0, "NO HOLE")
    assert "holes:" not in text(made, told)


def test_one_fault_is_told_as_a_part_of_the_matrix():
    told = text(*reported(healthy(), GOOD)).splitlines()[-1]
    assert told.startswith("NO HOLE · a part: 1 fault · 0 holes")


def test_the_whole_catalogue_is_told_as_no_part():
    told = text(*reported(healthy(), GOOD, whole=True)).splitlines()[-1]
    assert told.startswith(f"HOLES · 1 fault × {len(ALL) - len(APART)} criteria · ")


def test_only_the_whole_catalogue_is_asked_for_every_criterion():
    made, told = reported(healthy(), GOOD, whole=True)
    assert told.exit_code == 1
    assert "debug_off: never red" in text(made, told)


def test_a_row_that_was_not_taken_is_named():
    made = matrix(GOOD)
    told = report(made, whole=False, wanted=["broken", "another"])
    assert told.exit_code == 6
    assert "? another: not taken" in text(made, told)
    assert "another" in html(made, told)


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        (GOOD, "✓ broken: caught by error_rate and 1 more · 10 s"),
        (row("broken", "error_rate", **MUST), "✗ broken: caught by error_rate; silent: metrics_move · 10 s"),
        (row("broken", "debug_off", **MUST), "✗ broken: NOT CAUGHT; false alarm: debug_off · 10 s"),
        (row("broken", trouble="lost"), "? broken: lost"),
    ],
)
def test_a_row_in_a_line(seen, line):
    assert line_of(seen) == line


class Page(HTMLParser):
    """The tags of a page that have no end yet, and every tag that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_escaped_and_needs_nothing():
    hostile = row("<b>x</b>", "error_rate", landed='"><img src=x>', **MUST)
    made, told = reported(healthy(), GOOD, ODD, LOST, hostile, whole=True)
    page = html(made, told)
    parsed = Page()
    parsed.feed(page)
    assert parsed.open == []
    assert not parsed.tags & {"script", "img", "link", "iframe"}
    assert not re.search(r"https?://|\$[a-z]", page)
    assert "&lt;script&gt;" in page
    assert page.count("<tr>") == 2 + 5 + 1 + 5
