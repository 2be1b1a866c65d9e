"""The criteria that a stack cannot have, each with the reason and with the test that shows it red instead."""

from pathlib import Path

import msgspec
import yaml

SOURCE = Path(__file__).with_name("elsewhere.yaml")


class Elsewhere(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a stack has no such criterion, and where it is shown red: `file::test`."""

    why: str
    shown: str


def elsewhere(stack: str, source: Path = SOURCE) -> dict[str, Elsewhere]:
    """By criterion, those of one stack. Raises msgspec.ValidationError when the file is not so made."""
    document = yaml.safe_load(source.read_text("utf-8"))
    return msgspec.convert(document, type=dict[str, dict[str, Elsewhere]])[stack]
