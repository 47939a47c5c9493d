"""An ingest at full speed beside another load: `clipline ingest` of a folder of photo-sized pictures."""

import io
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from workers.executors import cpus_granted

DRAWN = 600
# More than are encoded in half a minute.
FOR_EACH_CPU = 400
ENCODED = re.compile(r'^clipline_batch_items_sum\{kind="image"\} (\S+)$', re.MULTILINE)
COLLECTION = "beside"


@contextmanager
def ingesting(url: str, worker: str) -> Iterator[Callable[[], float]]:
    """Runs until the block ends, or the pictures; yields what tells how many the worker has encoded.

    From its metrics, because the collection's count changes when the job ends.
    """
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
            yield lambda: encoded(worker)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def encoded(worker: str) -> float:
    found = ENCODED.search(httpx.get(f"{worker}/metrics", timeout=30).text)
    return float(found[1]) if found else 0.0


def draw(folder: Path) -> None:
    """JPEGs of 640 × 480, coarse noise, enlarged, about as large as photos of that size; from some number on they only
    differ in a comment, which is enough for an ingest to take each of them for another."""
    chance = np.random.default_rng(0)
    drawn = [_jpeg(chance.integers(0, 256, (30, 40, 3), dtype=np.uint8)) for _ in range(DRAWN)]
    for number in range(max(DRAWN, FOR_EACH_CPU * cpus_granted())):
        data, comment = drawn[number % DRAWN], f"{number}".encode()
        marked = data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + data[2:]
        (folder / f"{number}.jpg").write_bytes(marked)


def _jpeg(small: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(small).resize((640, 480)).save(file, "JPEG", quality=90)
    return file.getvalue()
