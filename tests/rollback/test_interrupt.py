"""Ctrl-C while the command line is still loading: one line, no traceback."""

from rollback import __main__ as command


def test_an_interrupt_before_anything_began_is_one_line(monkeypatch, capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_carry_out", interrupted)
    assert command.main(["status"]) == 2
    assert capsys.readouterr().err == "interrupted before anything was changed\n"
