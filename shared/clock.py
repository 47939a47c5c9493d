"""Times as clients see them."""

from datetime import UTC, datetime
from time import time


def now_ms() -> int:
    return int(time() * 1000)


def iso(ms: int | str | bytes | None) -> str | None:
    """Milliseconds since 1970 → ISO 8601 in UTC, to the millisecond."""
    if not ms:
        return None
    moment = datetime.fromtimestamp(int(float(ms)) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_iso() -> str:
    text = iso(now_ms())
    assert text is not None, "the clock stands after 1970"
    return text


def ms_of(moment: datetime | None) -> int | None:
    """Milliseconds since 1970 of a moment with a time zone."""
    return None if moment is None else round(moment.timestamp() * 1000)
