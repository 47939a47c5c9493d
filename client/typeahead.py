"""Search while somebody types: of many askings only the newest is answered, and only that one costs anything."""

from collections.abc import Awaitable, Callable

from shared.errors import Superseded
from shared.jobs import SearchResult

Ask = Callable[[str], Awaitable[SearchResult]]


class Typeahead:
    """Asks for one text after the other, in a slot of its own."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def ask(self, text: str) -> SearchResult | None:
        """The answer, or None when a newer asking took this one's place. Raises CliplineError."""
        try:
            return await self._ask(text)
        except Superseded:
            return None
