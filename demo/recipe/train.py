"""Trains the demo model in three stages: `text` and `pictures` (in either order, or side by side), then `joint`."""

import argparse
import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from demo.recipe.bank import CaptionBank, flippable, picture_weights
from demo.recipe.joint import tune
from demo.recipe.pictures import Matcher, Pictures, train_pictures
from demo.recipe.places import MODEL, WORK
from demo.recipe.prepare import Material, prepare, token_texts
from demo.recipe.teacher import Teacher, digest, principal_axes
from demo.recipe.text import Lessons, distil, start_from_teacher
from demo.recipe.tower import DIM, build, export, tokenise, unit

logger = logging.getLogger(__name__)

NAME_REPEATS = 4  # a pictogram's own names against one pass over other texts
CAPTION_REPEATS = 1


class Stages:
    """The three stages over one material; each leaves a checkpoint in `work`."""

    def __init__(self, material: Material, work: Path, *, minutes: float, seed: int) -> None:
        torch.manual_seed(seed)
        self._material = material
        self._work = work
        self._minutes = minutes
        self._seed = seed
        self._targets = unit(material.taught @ principal_axes(material.taught, DIM))
        self._bank = CaptionBank(material.captions, torch.Generator().manual_seed(seed))

    def text(self) -> None:
        """Distil the text tower into `text.pt`."""
        model: Any = build()
        start_from_teacher(model, Teacher(self._work / "teacher").embed("tokens", token_texts()))
        distil(model, self._lessons(), minutes=self._minutes, checkpoint=self._work / "text.pt", seed=self._seed)

    def pictures(self) -> None:
        """Train the picture tower against the teacher into `pictures.pt`."""
        model: Any = build()
        where = self._positions(self._bank.texts)
        train_pictures(
            model.visual,
            self._pictures(),
            self._bank,
            self._targets[where],
            minutes=self._minutes,
            checkpoint=self._work / "pictures.pt",
            seed=self._seed,
        )

    def joint(self) -> None:
        """Put both towers together, tune them on each other, into `joint.pt`."""
        model, mapped = self.assembled()
        lessons = self._lessons()
        tune(
            model,
            self._pictures(),
            self._bank,
            lessons.tokens[self._positions(self._bank.texts)],
            Lessons(lessons.tokens, unit(lessons.targets @ mapped.T), lessons.order),
            minutes=self._minutes,
            checkpoint=self._work / "joint.pt",
            seed=self._seed,
        )

    def assembled(self) -> tuple[Any, Tensor]:
        """A CLIP of both towers, and the captions' map (DIM, DIM), which its text projection includes."""
        model: Any = build()
        model.load_state_dict(torch.load(self._work / "text.pt"))
        matcher = Matcher(build().visual)
        matcher.load_state_dict(torch.load(self._work / "pictures.pt"))
        mapped = matcher.map.weight.detach()
        model.visual.load_state_dict(matcher.visual.state_dict())
        with torch.no_grad():
            model.text_projection.copy_(model.text_projection @ mapped.T)
            model.logit_scale.copy_(matcher.name_scale)
        return model, mapped

    def _lessons(self) -> Lessons:
        names = [name for caption in self._material.captions for name in caption.names]
        own = self._positions(names).repeat(NAME_REPEATS), self._positions(self._bank.texts).repeat(CAPTION_REPEATS)
        order = torch.cat([torch.arange(len(self._material.corpus)), *own])
        return Lessons(self._tokens(), self._targets, order)

    def _tokens(self) -> Tensor:
        """The corpus as the tokenizer gives it, kept for the next stage."""
        stored = self._work / f"tokens-{digest(self._material.corpus)}.pt"
        if not stored.exists():
            torch.save(tokenise(self._material.corpus), stored)
        tokens: Tensor = torch.load(stored)
        return tokens

    def _positions(self, texts: list[str]) -> Tensor:
        index = {text: position for position, text in enumerate(self._material.corpus)}
        return torch.tensor([index[text] for text in texts])

    def _pictures(self) -> Pictures:
        concept = torch.from_numpy(self._material.art.concept)
        return Pictures(
            pixels=torch.from_numpy(self._material.art.pixels),
            concept=concept,
            flippable=flippable(self._material.concepts)[concept],
            weight=picture_weights(self._material.concepts, concept),
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=["text", "pictures", "joint", "export"])
    parser.add_argument("--minutes", type=float, default=30.0, help="training time of the stage")
    parser.add_argument("--work", type=Path, default=WORK, help="where caches and checkpoints live")
    parser.add_argument("--out", type=Path, default=MODEL, help="where `export` writes the model")
    parser.add_argument("--untuned", action="store_true", help="export the towers as they are before `joint`")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    torch.set_num_threads(arguments.threads)
    stages = Stages(prepare(arguments.work), arguments.work, minutes=arguments.minutes, seed=arguments.seed)
    if arguments.stage == "export":
        _export(stages, arguments)
    else:
        getattr(stages, arguments.stage)()


def _export(stages: Stages, arguments: argparse.Namespace) -> None:
    model, _ = stages.assembled()
    if not arguments.untuned:
        model.load_state_dict(torch.load(arguments.work / "joint.pt"))
    export(model, arguments.out)


if __name__ == "__main__":
    main()
