"""What a drill tells of a command that was typed."""

from drills.operator import Typed


def says(out, errors="", status=0):
    return Typed(command="python -m rollback git", exit=status, out=out, errors=errors, seconds=1.0).says


def test_how_it_ended_is_told_and_not_what_to_type_next():
    out = (
        "  1 restart  voice\ndone in 4.3 s of 60 min\n  now   pytest -m post_rollback\n  undo  python -m …\n"
    )
    assert says(out) == "exit 0: done in 4.3 s of 60 min"
    failed = (
        "FAILED and undone in 7.0 s of 30 min: serves 2.4.0, and this\n  code is that of 2.3.1\n  now …\n"
    )
    assert says(failed, status=1) == "exit 1: FAILED and undone in 7.0 s of 30 min: serves 2.4.0, and this"


def test_an_error_comes_before_what_was_printed_and_silence_is_silence():
    assert says("done\n", "refused: a lock\n", 5) == "exit 5: refused: a lock"
    assert says("  only this\n\n") == "exit 0: only this"
    assert says("") == "exit 0"
