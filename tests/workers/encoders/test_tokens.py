"""Texts to ids word by word are what open_clip's own tokenizer gives for the whole."""

import string
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.encoders import tokens
from workers.encoders.tokens import Texts, Words, may_go_by_words
from workers.encoders.torchvision_ops import open_clip

PLAIN = string.ascii_letters + string.digits + string.punctuation + " "
PIECES = st.sampled_from([
    "cat", "DON'T", "we'll", "  ", "<start_of_text>", "<END_OF_TEXT>", "</w>", "&amp;", "&lt;b&gt;", "x_y", "42", "’",
    "ﬁ", "é", "\t", "\x07", "\x1b[31m", "富士山", "🐈", "…", "--", "a" * 40,
])  # fmt: skip
TEXTS = st.one_of(
    st.text(alphabet=PLAIN, max_size=60),
    st.text(max_size=30),
    st.lists(PIECES, max_size=12).map("".join),
    st.lists(PIECES, max_size=12).map(" ".join),
    st.integers(0, 90).map(lambda words: "word " * words),
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return open_clip.get_tokenizer("ViT-B-32")


@pytest.fixture(scope="module", params=[8, 77])
def texts(request: pytest.FixtureRequest, tokenizer: Any) -> Texts:
    return Texts(tokenizer, context_length=request.param)


@given(text=TEXTS)
@example(text="a cat <end_of_text> and more")
@example(text="A  B")
def test_ids_are_those_of_the_tokenizer(text: str, texts: Texts, tokenizer: Any) -> None:
    ids, cut = texts.tokenize(text)
    assert ids.dtype == np.int64
    np.testing.assert_array_equal(ids, tokenizer([text], context_length=len(ids))[0].numpy())
    assert cut == (len(tokenizer.encode(text)) + 2 > len(ids))


@given(text=TEXTS)
def test_word_by_word_only_where_cleaning_changes_nothing(text: str, tokenizer: Any) -> None:
    if Words.suits(text):
        assert tokenizer.clean_fn(text) == " ".join(text.split()).lower()


def test_the_shortcut_is_taken(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = Texts(tokenizer, context_length=77)
    texts.tokenize("a happy cat")
    monkeypatch.setattr(type(tokenizer), "encode", lambda *_: pytest.fail("these words are known"))
    texts.tokenize("A cat happy  cat")


def test_other_tokenizers_go_their_own_way(tokenizer: Any) -> None:
    assert may_go_by_words(tokenizer)
    assert not may_go_by_words(open_clip.SimpleTokenizer(clean="canonicalize"))
    assert not may_go_by_words(open_clip.SimpleTokenizer(reduction_mask="simple"))
    assert not may_go_by_words(lambda texts: texts)


def test_a_tokenizer_that_gives_other_ids_word_by_word_goes_its_own_way(caplog: pytest.LogCaptureFixture) -> None:
    odd = open_clip.SimpleTokenizer()
    encode = odd.encode
    odd.encode = lambda text: encode(text)[::-1]
    texts = Texts(odd, context_length=77)
    assert "own way" in caplog.text
    ids, _ = texts.tokenize("a happy cat")
    np.testing.assert_array_equal(ids, odd(["a happy cat"])[0].numpy())


def test_a_tokenizer_that_panics_raises_an_exception() -> None:
    class Panic(BaseException):
        pass

    odd = open_clip.SimpleTokenizer()
    encode = odd.encode

    def panics(text: str) -> Any:
        if "bad" in text:
            raise Panic("index out of bounds")
        return encode(text)

    odd.encode = panics
    texts = Texts(odd, context_length=77)
    with pytest.raises(RuntimeError, match="Panic: index out of bounds"):
        texts.tokenize("bad")
    assert texts.tokenize("good")[1] is False


def test_memory_of_words_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CACHED_WORDS", 50)
    tokenizer = open_clip.SimpleTokenizer()
    texts = Texts(tokenizer, context_length=77)
    words = texts._words
    assert words is not None
    for number in range(500):
        texts.tokenize(f"word{number} {'x' * 200}{number}")
        assert len(words._known) <= 50
        assert len(tokenizer.cache) <= 50 + 10
    assert all(len(word) <= tokens.LONGEST_WORD for word in words._known)
