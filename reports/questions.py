"""Asking the person for what no journal and no verdict can prove."""

import difflib
import sys
from collections.abc import Iterator

from reports import page
from reports.checklist import Answer, Checklist, signed
from reports.errors import ReportError

_WORDS = {"y": True, "yes": True, "n": False, "no": False}
_SKIPS = {"", "s", "skip"}


def given(texts: list[str], found: Checklist, by: str) -> dict[str, Answer]:
    """Answers from the command line, `ITEM=yes` or `ITEM=no:a note`. Raises ReportError."""
    entries = {entry.id: entry for entry in found.entries}
    answers = {}
    for text in texts:
        item, _, said = text.partition("=")
        word, _, note = said.partition(":")
        if item not in entries:
            near = difflib.get_close_matches(item, entries, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(entries)}"
            raise ReportError(f"--answer {text}: no item {item!r}; {hint}")
        if word.strip().lower() not in _WORDS:
            raise ReportError(f"--answer {text}: write {item}=yes or {item}=no, and :NOTE if you like")
        entry = entries[item]
        if entry.answer is None and not entry.asks:
            raise ReportError(
                f"--answer {text}: evidence decides that, not a person: {entry.state}, {entry.evidence}"
            )
        answers[item] = signed(yes=_WORDS[word.strip().lower()], note=note, by=by)
    return answers


def asked(found: Checklist, by: str) -> Iterator[tuple[str, Answer]]:
    """One question for each item that only a person can answer; what is skipped stays open. Raises EOFError."""
    asking = [entry for entry in found.entries if entry.asks]
    if asking:
        _say(f"{found.target}: {len(asking)} items only you can answer, signed as {by}.")
        _say("y or n, and a note behind it if you like; Enter leaves it open.")
    for entry in asking:
        while True:
            said = _ask(f"  {page.plain(entry.says)}? [y/n/skip] ")
            word, _, note = said.partition(" ")
            if word.lower() in _SKIPS:
                break
            if word.lower().rstrip(",:") in _WORDS:
                yield entry.id, signed(yes=_WORDS[word.lower().rstrip(",:")], note=note, by=by)
                break
            _say("    y, n or skip")


def _ask(question: str) -> str:
    sys.stdout.write(page.encodable(question, sys.stdout))
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip()


def _say(text: str) -> None:
    sys.stdout.write(page.encodable(text, sys.stdout) + "\n")
