"""Points in time as people and file names show them, always in UTC."""

import datetime


def stamp(seconds: float) -> str:
    """`20261123T140210Z`, for names; seconds since the epoch."""
    return _utc(seconds).strftime("%Y%m%dT%H%M%SZ")


def of_stamp(text: str) -> float:
    """Seconds since the epoch of a `stamp`. Raises ValueError."""
    return datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC).timestamp()


def iso(seconds: float) -> str:
    """`2026-11-23T14:02:10.123Z`, for journals."""
    return _utc(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def minute(seconds: float) -> str:
    """`2026-11-23 14:02`."""
    return _utc(seconds).strftime("%Y-%m-%d %H:%M")


def formatted(seconds: float, pattern: str) -> str:
    """By a pattern of `strftime`."""
    return _utc(seconds).strftime(pattern)


def second(seconds: float) -> str:
    """`14:02:10`."""
    return _utc(seconds).strftime("%H:%M:%S")


def moment(seconds: float) -> str:
    """`2026-11-23 14:02:10 UTC`."""
    return _utc(seconds).strftime("%Y-%m-%d %H:%M:%S UTC")


def length(seconds: float) -> str:
    """`0.1 s`, `4 min 12 s`, `3 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def ago(seconds: float) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `5 days ago`."""
    minutes = max(0.0, seconds) / 60
    if minutes < 1:
        return "just now"
    if minutes < 90:
        return f"{minutes:.0f} min ago"
    return f"{minutes / 60:.0f} h ago" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days ago"


def of_iso(text: str) -> float:
    """Seconds since the epoch of a time in ISO 8601, UTC where it does not say. Raises ValueError."""
    found = datetime.datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()


def budget(seconds: float) -> str:
    """`10 min`."""
    return f"{seconds / 60:g} min"


def _utc(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
