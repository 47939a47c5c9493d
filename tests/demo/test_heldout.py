from random import Random

from hypothesis import given
from hypothesis import strategies as st

from demo.collection import NODE_MODULES
from demo.concepts import load_concepts
from demo.recipe.heldout import HeldOut, Phrase, content_words, load_phrases
from demo.recipe.places import PHRASES

phrases = load_phrases(PHRASES)
held_out = HeldOut(phrase.text for phrase in phrases)


def test_there_are_a_hundred_phrases_each_with_labels_that_exist() -> None:
    labels = {concept.label for concept in load_concepts(NODE_MODULES)}

    assert len({phrase.text for phrase in phrases}) == 100
    assert all(phrase.labels and phrase.labels <= labels for phrase in phrases)


def test_no_phrase_is_a_name_or_a_keyword_of_a_pictogram() -> None:
    concepts = load_concepts(NODE_MODULES)
    known = {concept.label for concept in concepts} | {tag for concept in concepts for tag in concept.tags}

    assert known.isdisjoint(phrase.text for phrase in phrases)
    assert not [concept.label for concept in concepts if held_out.holds(concept.label)]


def test_near_duplicates_are_held_out_and_other_texts_are_not() -> None:
    assert held_out.holds("red fruit")
    assert held_out.holds("A red fruit!")
    assert held_out.holds("the fruits that are red")
    assert held_out.holds("small red fruit")
    assert not held_out.holds("fruit")
    assert not held_out.holds("green fruit")
    assert held_out.without(["apple", "red fruit", "apple", "pear"]) == ["apple", "pear"]


@given(st.sampled_from(phrases), st.randoms(use_true_random=False))
def test_a_phrase_is_held_out_in_any_order_of_its_words(phrase: Phrase, random: Random) -> None:
    words = phrase.text.split()
    random.shuffle(words)

    assert held_out.holds(" ".join(words))


@given(st.text(max_size=40))
def test_any_text_has_words_or_none_and_never_fails(text: str) -> None:
    held_out.holds(text)

    assert all(word == word.lower() for word in content_words(text))
