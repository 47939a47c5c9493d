import pytest

from demo.collection import NODE_MODULES
from demo.concepts import load_concepts
from demo.recipe.captions import Captions, Source, write_captions
from demo.recipe.heldout import HeldOut, load_phrases
from demo.recipe.meanings import Meaning
from demo.recipe.places import PHRASES

held_out = HeldOut(phrase.text for phrase in load_phrases(PHRASES))


@pytest.fixture(scope="module")
def captions() -> dict[str, Captions]:
    """Captions from emojibase alone, every pictogram claimed to be red."""
    concepts = load_concepts(NODE_MODULES)
    sources = [Source(concept, list(concept.tags), ["red"]) for concept in concepts]
    written = write_captions(sources, lambda _: Meaning(words=["happy face"]), held_out)
    return {concept.label: caption for concept, caption in zip(concepts, written, strict=True)}


def test_no_caption_is_a_held_out_phrase(captions: dict[str, Captions]) -> None:
    texts = {text for caption in captions.values() for pool in caption.pools for text in pool}

    assert not [text for text in texts if held_out.holds(text)]
    assert "red insect" in texts
    assert "red fruit" not in texts


def test_every_pictogram_is_called_by_its_label_first(captions: dict[str, Captions]) -> None:
    assert all(caption.names[0] == label for label, caption in captions.items())


def test_captions_are_the_same_every_time(captions: dict[str, Captions]) -> None:
    concepts = load_concepts(NODE_MODULES)[:50]
    sources = [Source(concept, list(concept.tags), ["red"]) for concept in concepts]

    assert write_captions(sources, lambda _: Meaning(), held_out) == write_captions(
        sources, lambda _: Meaning(), held_out
    )
