"""What an ingest did so far: every file is counted once."""

from collections.abc import Sequence

import msgspec

from shared.errors import BadPicture, BadVideo, NotVisible
from shared.jobs import File, Skipped

# Why a file is left out, while the others go on.
Refusal = BadPicture | BadVideo | NotVisible
REFUSALS = (BadPicture, BadVideo, NotVisible)


class Tally(msgspec.Struct):
    """`frames` and `partial` tell more of videos that are counted elsewhere."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    frames: int = 0
    skipped: list[Skipped] = msgspec.field(default_factory=list)
    failed: list[Skipped] = msgspec.field(default_factory=list)
    partial: list[Skipped] = msgspec.field(default_factory=list)
    wanted: list[str] = msgspec.field(default_factory=list)

    def refuse(self, file: File, error: Refusal) -> None:
        row = Skipped(source=file.source, reason=error.detail, type=error.slug)
        (self.failed if isinstance(error, NotVisible) else self.skipped).append(row)

    def as_given(self, files: Sequence[File]) -> None:
        """Bring what is listed into the order of the files: threads end in any order."""
        place = {file.source: number for number, file in enumerate(files)}
        for rows in (self.skipped, self.failed, self.partial):
            rows.sort(key=lambda row: place[row.source])
        self.wanted.sort(key=place.__getitem__)
