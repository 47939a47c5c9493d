"""An ingest at full speed beside another load: `clipline ingest` of a folder of photo-sized pictures."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

PICTURES = 600
COLLECTION = "beside"


@contextmanager
def ingesting(url: str) -> Iterator[Callable[[], int]]:
    """Runs until the block ends, or the pictures; yields what tells how many were stored by then."""
    httpx.put(f"{url}/v1/collections/{COLLECTION}", json={}, timeout=60).raise_for_status()
    with tempfile.TemporaryDirectory(prefix="clipline-bench-pictures-") as folder:
        draw(Path(folder))
        command = [
            sys.executable,
            "-m",
            "cli.main",
            "ingest",
            folder,
            "--collection",
            COLLECTION,
            "--url",
            url,
            "--json",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield lambda: stored(url)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def stored(url: str) -> int:
    count: int = httpx.get(f"{url}/v1/collections/{COLLECTION}", timeout=60).json()["count"]
    return count


def draw(folder: Path) -> None:
    """JPEGs of 640 × 480, each with another content: coarse noise, enlarged, about as large as photos of that size."""
    chance = np.random.default_rng(0)
    for number in range(PICTURES):
        small = Image.fromarray(chance.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        small.resize((640, 480)).save(folder / f"{number}.jpg", quality=90)
