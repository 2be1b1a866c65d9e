"""What keeps a report from being made."""


class ReportError(Exception):
    """The command line, or a file that is to be told of, cannot be used; the message says what to do instead."""
