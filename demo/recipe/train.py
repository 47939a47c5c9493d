"""Trains the demo model in stages: `text` and `pictures`, side by side; `join`; then `align` and `refine` in turns."""

import argparse
import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from demo.recipe.align import align, prototypes
from demo.recipe.bank import CaptionBank, concept_weights, flippable
from demo.recipe.pictures import Matcher, Pace, Pictures, train_pictures
from demo.recipe.places import MODEL, WORK
from demo.recipe.prepare import Material, prepare, token_texts
from demo.recipe.teacher import Teacher, digest, principal_axes
from demo.recipe.text import Lessons, distil, start_from_teacher
from demo.recipe.tower import DIM, build, encode_all, export, tokenise, unit

logger = logging.getLogger(__name__)

NAME_REPEATS = 4  # a pictogram's own names against one pass over other texts
CAPTION_REPEATS = 1


class Stages:
    """The stages over one material; each leaves a checkpoint in `work`."""

    def __init__(self, material: Material, work: Path, *, minutes: float, seed: int, device: str) -> None:
        torch.manual_seed(seed)
        self._device = device
        self._material = material
        self._work = work
        self._minutes = minutes
        self._seed = seed
        self._targets = unit(material.taught @ principal_axes(material.taught, DIM)).to(device)
        self._bank = CaptionBank(material.captions, torch.Generator(device).manual_seed(seed))

    def text(self) -> None:
        """Distil the text tower into `text.pt`."""
        model: Any = build()
        start_from_teacher(model, Teacher(self._work / "teacher").embed("tokens", token_texts()))
        distil(
            model.to(self._device),
            self._lessons(),
            minutes=self._minutes,
            checkpoint=self._work / "text.pt",
            seed=self._seed,
        )

    def pictures(self) -> None:
        """Train the picture tower against the teacher into `pictures.pt`."""
        vectors = self._targets[self._positions(self._bank.texts)]
        self._match(Matcher(build().visual), vectors, "pictures", Pace(self._minutes, 0.6, 1.5e-3))

    def join(self) -> None:
        """Make a CLIP, `model.pt`, of the towers that `text` and `pictures` left."""
        model: Any = build()
        model.load_state_dict(self.checkpoint("text"))
        self._merge("pictures", model, torch.eye(DIM))

    def align(self) -> None:
        """Train the CLIP's text tower on, towards its picture tower's view of each concept."""
        model, mapped = self.model()
        lessons, anchors = self._lessons(), prototypes(model, self._pictures())
        align(
            model,
            anchors,
            self._bank,
            lessons.tokens[self._positions(self._bank.texts)],
            Lessons(lessons.tokens, unit(lessons.targets @ mapped.T), lessons.order),
            weight=concept_weights(self._material.concepts).to(self._device) * (anchors.norm(dim=1) > 0),
            minutes=self._minutes,
            checkpoint=self._work / "aligned.pt",
            seed=self._seed,
        )
        self._keep(self.checkpoint("aligned"), mapped)

    def refine(self) -> None:
        """Train the CLIP's picture tower on, in full size and against its text tower as it is now."""
        model, mapped = self.model()
        vectors = encode_all(model, self._tokens()[self._positions(self._bank.texts)])
        self._match(Matcher(model.visual), vectors, "refined", Pace(self._minutes, 0.0, 1e-3))
        self._merge("refined", model, mapped)

    def model(self) -> tuple[Any, Tensor]:
        """The CLIP as it is now, and the map (DIM, DIM) from the teacher's space to its own."""
        kept = self.checkpoint("model")
        mapped = kept.pop("map")
        model: Any = build()
        model.load_state_dict(kept)
        return model.to(self._device), mapped.to(self._device)

    def _match(self, matcher: Matcher, vectors: Tensor, stage: str, pace: Pace) -> None:
        checkpoint = self._work / f"{stage}.pt"
        train_pictures(
            matcher, self._pictures(), self._bank, vectors, pace=pace, checkpoint=checkpoint, seed=self._seed
        )

    def _merge(self, stage: str, model: Any, mapped: Tensor) -> None:
        """Give `model` a stage's picture tower, and its text projection the map that the captions passed there."""
        matcher = Matcher(build().visual)
        matcher.load_state_dict(self.checkpoint(stage))
        learnt = matcher.map.weight.detach()
        model.cpu().visual.load_state_dict(matcher.visual.state_dict())
        with torch.no_grad():
            model.text_projection.copy_(model.text_projection @ learnt.T)
            model.logit_scale.copy_(matcher.name_scale)
        self._keep(model.state_dict(), learnt @ mapped.cpu())

    def _keep(self, state: dict[str, Tensor], mapped: Tensor) -> None:
        torch.save(state | {"map": mapped}, self._work / "model.pt")

    def checkpoint(self, stage: str) -> dict[str, Tensor]:
        """What a stage left, on the CPU."""
        state: dict[str, Tensor] = torch.load(self._work / f"{stage}.pt", map_location="cpu")
        return state

    def _lessons(self) -> Lessons:
        names = [name for caption in self._material.captions for name in caption.names]
        own = self._positions(names).repeat(NAME_REPEATS), self._positions(self._bank.texts).repeat(CAPTION_REPEATS)
        order = torch.cat([torch.arange(len(self._material.corpus)), *own])
        return Lessons(self._tokens(), self._targets, order.to(self._device))

    def _tokens(self) -> Tensor:
        """The corpus as the tokenizer gives it, kept for the next stage."""
        stored = self._work / f"tokens-{digest(self._material.corpus)}.pt"
        if not stored.exists():
            torch.save(tokenise(self._material.corpus), stored)
        tokens: Tensor = torch.load(stored)
        return tokens.to(self._device)

    def _positions(self, texts: list[str]) -> Tensor:
        index = {text: position for position, text in enumerate(self._material.corpus)}
        return torch.tensor([index[text] for text in texts])

    def _pictures(self) -> Pictures:
        concept = torch.from_numpy(self._material.art.concept)
        return Pictures(
            pixels=torch.from_numpy(self._material.art.pixels).to(self._device),
            concept=concept.to(self._device),
            flippable=flippable(self._material.concepts)[concept].to(self._device),
            weight=concept_weights(self._material.concepts)[concept].to(self._device),
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=["text", "pictures", "join", "align", "refine", "export"])
    parser.add_argument("--minutes", type=float, default=30.0, help="training time of the stage")
    parser.add_argument("--work", type=Path, default=WORK, help="where caches and checkpoints live")
    parser.add_argument("--out", type=Path, default=MODEL, help="where `export` writes the model")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    torch.set_num_threads(arguments.threads)
    material = prepare(arguments.work, arguments.device)
    chosen = {"minutes": arguments.minutes, "seed": arguments.seed, "device": arguments.device}
    stages = Stages(material, arguments.work, **chosen)
    if arguments.stage == "export":
        export(stages.model()[0], arguments.out)
    else:
        getattr(stages, arguments.stage)()


if __name__ == "__main__":
    main()
