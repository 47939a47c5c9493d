"""Builds the sample collection: Noto pictograms as PNG files with a payload for each.

`python -m demo.collection OUT_DIR` needs the packages of `demo/package.json` (`npm ci` in `demo/`).
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from demo.concepts import Concept, load_concepts
from demo.icons import IconSet, rasterise
from workers.stores.process import die_with_parent

NODE_MODULES = Path(__file__).resolve().parent / "node_modules"
PACKAGES = ("@iconify-json/noto", "emojibase-data")
PAYLOADS = "payloads.json"
STAMP = ".built-from.json"
SIDE = 256  # pixels
LAYOUT = 1  # raise when the same packages should give other files
CHUNK = 32  # pictures that a process draws at a time


class PackagesMissing(RuntimeError):
    """The npm packages that the collection is made of are not installed."""


def build(out: Path) -> Path:
    """Fill `out` with PNG files and `payloads.json` and return it; does nothing when it holds them already.

    Pictures are SIDE × SIDE with transparency, named by their label's slug. `payloads.json` maps each file name to
    `label`, `tags`, `group` and `subgroup`. Raises PackagesMissing.
    """
    versions = _versions()
    if _complete(out, versions):
        return out
    out.mkdir(parents=True, exist_ok=True)
    (out / STAMP).unlink(missing_ok=True)
    svgs, payloads = _contents()
    _forget_strangers(out, payloads)
    _draw(out, svgs)
    _write(out / PAYLOADS, payloads)
    # Last: only a finished build has a stamp, so that an interrupted one is made again.
    _write(out / STAMP, versions)
    return out


def _versions() -> dict[str, str]:
    manifests = {name: NODE_MODULES / name / "package.json" for name in PACKAGES}
    missing = [name for name, manifest in manifests.items() if not manifest.exists()]
    if missing:
        raise PackagesMissing(f"{', '.join(missing)} not installed: run `npm ci` in {NODE_MODULES.parent}")
    versions = {name: json.loads(manifest.read_text("utf-8"))["version"] for name, manifest in manifests.items()}
    return versions | {"layout": str(LAYOUT)}


def _complete(out: Path, versions: dict[str, str]) -> bool:
    stamp = out / STAMP
    if not stamp.exists() or json.loads(stamp.read_text("utf-8")) != versions:
        return False
    payloads = json.loads((out / PAYLOADS).read_text("utf-8"))
    return set(payloads) == {picture.name for picture in out.glob("*.png")}


def _contents() -> tuple[dict[str, str], dict[str, dict[str, object]]]:
    """SVG documents and payloads by file name."""
    icons = IconSet(NODE_MODULES, "noto")
    shown = {
        f"{concept.slug}.png": concept for concept in load_concepts(NODE_MODULES) if concept.code in icons.name_of_code
    }
    svgs = {name: icons.svg(icons.name_of_code[concept.code]) for name, concept in shown.items()}
    return svgs, {name: _payload(concept) for name, concept in shown.items()}


def _payload(concept: Concept) -> dict[str, object]:
    return {
        "label": concept.label,
        "tags": list(concept.tags),
        "group": concept.group,
        "subgroup": concept.subgroup,
    }


def _forget_strangers(out: Path, payloads: dict[str, dict[str, object]]) -> None:
    """Remove pictures that an older build left under names that this one does not use."""
    for picture in out.glob("*.png"):
        if picture.name not in payloads:
            picture.unlink()


def _draw(out: Path, svgs: dict[str, str]) -> None:
    # Spawned, not forked: the caller may have threads.
    with ProcessPoolExecutor(
        mp_context=get_context("spawn"), initializer=die_with_parent, initargs=(os.getpid(),)
    ) as pool:
        drawn = pool.map(_png, svgs.values(), chunksize=CHUNK)
        for name, png in zip(svgs, drawn, strict=True):
            (out / name).write_bytes(png)


def _png(svg: str) -> bytes:
    return rasterise(svg, SIDE)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Build the sample collection of pictograms.")
    parser.add_argument("out", type=Path, help="folder for the PNG files and payloads.json")
    out = parser.parse_args().out
    try:
        build(out)
    except PackagesMissing as error:
        sys.exit(f"error: {error}")
    count = sum(1 for _ in out.glob("*.png"))
    print(f"{count} pictures in {out}")


if __name__ == "__main__":
    main()
