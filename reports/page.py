"""A checklist as a page of Markdown, and as lines for a terminal."""

import re
import shutil
import sys
import textwrap
from itertools import groupby
from pathlib import Path
from typing import TextIO

from reports.checklist import Answer, Checklist, Entry
from reports.proofs import CHECK

_MARKS = {"proven": "✓", "signed": "✓", "not met": "✗", "open": "?"}
_PLAIN = {"✓": "ok", "✗": "x ", "?": "? ", "·": "|", "→": "->", "…": "...", "•": "*"}
_NARROW, _WIDEST = 72, 120


def markdown(found: Checklist) -> str:
    """The page, for `checklist.md`."""
    lines = [f"# Rollback checklist: {_escaped(found.target)}", ""]
    facts = [
        f"- Rollback: {_escaped(found.run)}" if found.run else "- Rollback: no journal of it was found",
        f"- Checks: {found.verdict or 'not run yet'}"
        + (f", against {_escaped(found.record)}" if found.record else ""),
        f"- As of: {found.written_at}",
        f"- {_count(found)}",
    ]
    lines += facts
    for part, entries in groupby(found.entries, key=lambda entry: entry.part):
        lines += ["", f"## {part}", ""]
        for entry in entries:
            box = "x" if entry.state in ("proven", "signed") else " "
            lines.append(f"- [{box}] {entry.says}")
            why = _why(entry) or "nobody has said yet"
            lines.append(f"  - {entry.state}: {_escaped(why)}")
    return "\n".join(lines) + "\n"


def show(
    found: Checklist, page: Path, named: str = "", stream: TextIO | None = None, width: int | None = None
) -> None:
    """The checklist on one screen: a line an item, in full only what is not met or open; then what to do next.

    `named` is the ` --target FILE` that was typed.
    """
    stream = stream or sys.stdout
    width = width or min(shutil.get_terminal_size((100, 24)).columns, _WIDEST)

    def put(line: str) -> None:
        stream.write(encodable(line, stream) + "\n")

    head = [
        found.target,
        found.run or "no journal of a rollback",
        f"judged {found.verdict}" if found.verdict else "",
    ]
    for line in textwrap.wrap(" · ".join(each for each in head if each), width):
        put(line)
    for part, entries in groupby(found.entries, key=lambda entry: entry.part):
        put(part)
        for entry in entries:
            for line in _lines(entry, width):
                put(line)
    for line in textwrap.wrap(f"{_word(found)} · {_count(found)} · {page}", width, break_long_words=False):
        put(line)
    command, why = _next(found)
    if command:
        put(f"  → {command}{named}{why}")
    stream.flush()


def encodable(text: str, stream: TextIO) -> str:
    """The text as the stream's encoding can take it."""
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        for sign, plain in _PLAIN.items():
            text = text.replace(sign, plain)
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def plain(says: str) -> str:
    """An item's words without the emphasis."""
    return says.replace("**", "")


def _lines(entry: Entry, width: int) -> list[str]:
    mark, says = _MARKS[entry.state], plain(entry.says)
    why = _why(entry) or f"--answer {entry.id}=yes"
    if width < _NARROW:
        lines = textwrap.wrap(f"{mark} {says}", width, initial_indent="  ", subsequent_indent="    ")
        if entry.state in ("not met", "open"):
            lines += textwrap.wrap(why, width, initial_indent="      ", subsequent_indent="      ")
        return lines
    column = 56
    head = f"  {mark} {says}".ljust(column)
    room = width - column - 1
    if entry.state in ("proven", "signed"):
        return [f"{head} {textwrap.shorten(why, room, placeholder=' …')}".rstrip()]
    first, *rest = textwrap.wrap(why, room, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{head} {first}".rstrip(), *(" " * (column + 1) + line for line in rest)]


def _why(entry: Entry) -> str:
    if entry.answer is not None and not entry.evidence:
        return signature(entry.answer)
    return entry.evidence


def signature(answer: Answer) -> str:
    """`ann, 2026-11-23 14:10 UTC: told the team`."""
    when = answer.at.replace("T", " ")[:16]
    said = "" if answer.yes else "no; "
    return f"{said}{answer.by}, {when} UTC{': ' + answer.note if answer.note else ''}"


def _word(found: Checklist) -> str:
    return {0: "ALL DONE", 1: "NOT MET"}.get(found.exit_code, "OPEN")


def _count(found: Checklist) -> str:
    states = [entry.state for entry in found.entries]
    counts = [(states.count(state), state) for state in ("not met", "open", "signed", "proven")]
    return ", ".join(f"{count} {state}" for count, state in counts if count)


def _next(found: Checklist) -> tuple[str, str]:
    """What to type, and what to know of it."""
    if any(entry.state == "not met" and entry.answer is None for entry in found.entries):
        return "python -m checks triage", ""
    if any(entry.evidence.endswith(CHECK) for entry in found.entries if entry.state == "open"):
        return CHECK, ""
    if any(entry.asks for entry in found.entries):
        return "python -m reports checklist", "  # at a terminal it asks for the rest"
    return "", ""


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", " ".join(text.split()))
