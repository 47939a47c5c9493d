"""The parent's side of an embedding engine that runs in an environment of its own."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bench.peers.install import ROOT


class Engine:
    """Ends with the `with` block."""

    def __init__(self, python: Path, module: str, arguments: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [str(python), "-P", "-m", module, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        while self._line().strip() != "ready":
            pass
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(n, dim) unit vectors."""
        return np.array(self._order(texts=texts, vectors=True)["vectors"], dtype=np.float32)

    def rates(self, texts: Sequence[str], few: Sequence[str]) -> dict[str, float]:
        """All at once, and `few` one after the other."""
        together = self._order(texts=texts)["seconds"]
        apart = self._order(texts=few, alone=True)["seconds"]
        return {"text_queries_s": len(texts) / together, "text_ms": 1000 * apart / len(few)}

    def pictures_s(self, paths: Sequence[str]) -> float:
        """Pictures a second, reading, decoding and preprocessing included: it has no other way in."""
        return len(paths) / float(self._order(pictures=paths)["seconds"])

    def _order(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        # Libraries that it loads print to the same stream.
        while not (line := self._line()).startswith("{"):
            pass
        return dict(json.loads(line))

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return line
