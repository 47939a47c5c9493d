"""The encoder alone, beside open_clip's own and infinity: random weights, the same in every system.

Slices of work take turns within one run, so that whatever else the machine does meets all of them; figures are medians
over rounds. `open_clip` encodes one text after the other, `open_clip_batched` in batches, `infinity` runs the same
weights in Hugging Face's format in a process of its own, `clipline` takes the precision that it chooses itself and
`clipline_fp32` the exact one. `roofline` is the rate of this machine's matrix products, measured in the same rounds,
over the products that a text needs at its own length (and a picture in full): `roofline_share` is the share of that.
`executed_share` counts what was really computed: less, where texts of a batch share their beginnings.

`max_abs` and `cosine` compare unit vectors with stock open_clip's in fp32; `clipline`'s are those of its exact path,
with `_auto` behind those of the precision that it chose.

`text_queries_s` includes tokenising, in one thread; `from_ids_s` begins with token ids. With `--device cuda` open_clip
encodes one text under autocast and batches in its own fp16; infinity is measured on a CPU only.
"""

import itertools
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch

from bench import encode_pictures, hf_format
from bench.encode_engine import Engine
from bench.encode_measures import alone, distance, own_texts, rate
from bench.encode_stock import Stock
from bench.encode_work import Work, machine_rate, picture_flops
from bench.peers.install import python_of
from bench.phrases import phrases
from bench.report import Figures, Report, arguments, emit, median_of, progress
from shared.garbage import leave_out_what_exists
from shared.settings import Settings
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder

CPU = torch.device("cpu")
# One by one.
FEW = 128
GIGA = 1e9
CHECKED = (
    "",
    "a",
    "Ein Café in Köln",
    "富士山の写真",
    "صورة قطة",
    "word " * 200,
    "emoji 🐈 and\tcontrol\x07 characters",
)


class Sizes(NamedTuple):
    """Of a round, and of a batch."""

    texts: int
    batch: int
    pictures: int
    picture_batch: int


class Bench:
    """All systems, ready to take turns."""

    def __init__(self, stack: ExitStack, sizes: Sizes, *, named: Settings, has_exact: bool) -> None:
        self._sizes, self._model = sizes, named.model
        self.auto = load_encoder(named)
        self.device = torch.device(self.auto.info.device)
        self.stock = Stock(self._model, self.device)
        self.exact = self.auto
        if has_exact and self.auto.info.precision != "fp32":
            self.exact = load_encoder(msgspec.structs.replace(named, precision="fp32"))
        self._draw = phrases(1)
        self.work = Work(self.stock.model, self.stock.tokenizer)
        height, width = self.auto.info.image_size
        self._inputs = [np.full((height, width, 3), value % 256, np.uint8) for value in range(sizes.pictures)]
        self.absence = ""
        self.infinity = self._start_infinity(stack)

    def _start_infinity(self, stack: ExitStack) -> Engine | None:
        if self.device != CPU:
            self.absence = "measured on a CPU only"
            return None
        if not python_of("infinity").exists():
            self.absence = "its environment is missing; python -m bench.peers.install makes it"
            return None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clipline-hf-")))
        self._photo = folder / "photo.jpg"
        self._photo.write_bytes(encode_pictures.photo(*encode_pictures.SMALL))
        hf_format.save(self.stock.model, self._model, folder)
        started_with = [str(folder), str(self._sizes.batch), str(torch.get_num_threads())]
        try:
            return stack.enter_context(Engine(python_of("infinity"), "bench.peers.infinity", started_with))
        except RuntimeError as error:
            self.absence = str(error)
            return None

    def distances(self) -> dict[str, dict[str, float]]:
        """Texts of every kind and length, in one batch with ordinary ones."""
        texts = [*CHECKED, *itertools.islice(phrases(2), 57)]
        exact = self.stock.exact(texts)
        found = {
            "clipline": distance(own_texts(self.auto, texts), exact, "_auto"),
            "open_clip_batched": distance(np.concatenate([self.stock.together([text]) for text in texts]), exact),
        }
        if self.exact.info.precision == "fp32":
            found["clipline"] |= distance(own_texts(self.exact, texts), exact)
            found["clipline_fp32"] = distance(own_texts(self.exact, texts), exact)
        if self.infinity is not None:
            # Without control characters and the like: the two tokenizers clean texts differently.
            plain = texts[len(CHECKED) :]
            found["infinity"] = distance(self.infinity.texts(plain), exact[len(CHECKED) :])
        return found

    def round(self) -> dict[str, dict[str, float]]:
        """One slice of each."""
        texts = list(itertools.islice(self._draw, self._sizes.texts))
        few = texts[: min(FEW, max(4, len(texts) // 16))]
        found = {"roofline": self._roofline(texts)}
        one = rate("text_queries_s", self.stock.alone, few, batch=1)
        found["open_clip"] = one | {"text_ms": 1000 / one["text_queries_s"]}
        found["open_clip_batched"] = self._stock_in_batches(texts[: max(self._sizes.batch, len(texts) // 4)])
        if self.infinity is not None:
            pictures_s = self.infinity.pictures_s([str(self._photo)] * min(16, self._sizes.pictures))
            found["infinity"] = self.infinity.rates(texts, few) | {"images_s": pictures_s}
        for name, encoder in self.encoders().items():
            found[name] = self._own(encoder, texts, few, found["roofline"])
        self._add_pictures(found)
        return found

    def encoders(self) -> dict[str, Encoder]:
        if self.exact.info.precision != "fp32":
            return {"clipline": self.auto}
        return {"clipline": self.auto, "clipline_fp32": self.exact}

    def _roofline(self, texts: Sequence[str]) -> dict[str, float]:
        precisions = {"fp32", self.auto.info.precision}
        rates = {precision: machine_rate(precision, self.device) for precision in precisions}
        best = rates[self.auto.info.precision]
        return {
            **{f"gflops_{precision}": found / GIGA for precision, found in rates.items()},
            "text_queries_s": best / self.work.own_flops(texts),
            "images_s": best / picture_flops(self.stock.model),
            "text_tokens": self.work.tokens(texts),
        }

    def _stock_in_batches(self, texts: Sequence[str]) -> dict[str, float]:
        batch = self._sizes.batch
        ids = self.stock.tokenizer(list(texts))
        return rate("text_queries_s", self.stock.together, texts, batch=batch) | rate(
            "from_ids_s", self.stock.ids_together, ids, batch=batch
        )

    def _own(self, encoder: Encoder, texts: Sequence[str], few: Sequence[str], roofline: Figures) -> dict[str, float]:
        batch = self._sizes.batch
        found = rate("text_queries_s", lambda part: own_texts(encoder, part), texts, batch=batch)
        found |= rate("from_ids_s", encoder.encode_texts, [encoder.tokenize(text)[0] for text in texts], batch=batch)
        machine = GIGA * roofline[f"gflops_{encoder.info.precision}"]
        # On a GPU one thread's tokenising is no part of what the device could do.
        reached = found["text_queries_s" if self.device == CPU else "from_ids_s"]
        found["roofline_share"] = reached * self.work.own_flops(texts) / machine
        if self.device == CPU:
            found["executed_share"] = reached * self.work.executed_flops(texts, batch) / machine
        return found | alone(lambda part: own_texts(encoder, part), few)

    def _add_pictures(self, found: dict[str, dict[str, float]]) -> None:
        batch = self._sizes.picture_batch
        inputs = torch.randn(batch, 3, *self._inputs[0].shape[:2])
        found["open_clip"] |= rate("images_s", self.stock.picture_alone, inputs[:4], batch=1)
        self.stock.pictures_together(inputs)
        found["open_clip_batched"] |= rate("images_s", self.stock.pictures_together, inputs, batch=batch)
        for name, encoder in self.encoders().items():
            # As open_clip's: a first batch prepares what all others use.
            encoder.encode_images(self._inputs[:batch])
            found[name] |= rate("images_s", encoder.encode_images, self._inputs, batch=batch)
            share = found[name]["images_s"] * picture_flops(self.stock.model) / GIGA
            found[name]["images_roofline_share"] = share / found["roofline"][f"gflops_{encoder.info.precision}"]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--model", default="ViT-B-32", help="a name of open_clip's")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 …")
    parser.add_argument("--threads", type=int, default=0, help="that compute; 0: as many as a worker takes")
    parser.add_argument("--no-fp32", action="store_true", help="only the precision that serves")
    parser.add_argument("--batch", type=int, default=64, help="texts")
    parser.add_argument("--texts", type=int, default=256, help="of one round")
    parser.add_argument("--picture-batch", type=int, default=16)
    parser.add_argument("--pictures", type=int, default=32, help="of one round")
    chosen = parser.parse_args()
    sizes = Sizes(chosen.texts, chosen.batch, chosen.pictures, chosen.picture_batch)
    rounds: list[dict[str, dict[str, float]]] = []
    with ExitStack() as stack:
        named = Settings(model=chosen.model, pretrained="random", device=chosen.device, threads=chosen.threads)
        bench = Bench(stack, sizes, named=named, has_exact=not chosen.no_fp32)
        # As a worker does, and for all systems alike.
        leave_out_what_exists()
        with torch.inference_mode():
            distances = bench.distances()
        for number in range(chosen.rounds):
            found = bench.round()
            for name, figures in encode_pictures.round_of(bench.stock.model, bench.auto).items():
                found[name] |= figures
            rounds.append(found)
            progress(f"round {number}: {found}")
        report = Report(figures={name: median_of([found[name] for found in rounds]) for name in rounds[0]})
        for name, figures in distances.items():
            report.figures[name] |= figures
        report.notes += notes(report.figures, bench)
    emit(report, as_json=chosen.json)


def notes(figures: dict[str, dict[str, float]], bench: Bench) -> list[str]:
    """The goals, and how the figures were had."""
    ours, stock = figures["clipline"], figures["open_clip"]
    told = [
        *(
            f"{encoder.info.precision}: {figures[name]['text_queries_s'] / stock['text_queries_s']:.1f} times "
            f"open_clip one by one (goal {6 if encoder.info.precision == 'fp32' else 20})"
            for name, encoder in bench.encoders().items()
        ),
        f"preprocess, decoding included: {stock['preprocess_ms'] / ours['preprocess_ms']:.2f} times at 640 × 480, "
        f"{stock['preprocess_large_ms'] / ours['preprocess_large_ms']:.2f} times at 4000 × 3000 (goal 2)",
        f"{_told(bench.device)}; {torch.get_num_threads()} threads for every system",
    ]
    if bench.infinity is None:
        return [*told, f"infinity: {bench.absence}"]
    ahead = ours["text_queries_s"] / figures["infinity"]["text_queries_s"]
    return [*told, f"{ahead:.1f} times infinity, which has no bf16 on a CPU; its images_s includes decoding"]


def _told(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


if __name__ == "__main__":
    main()
