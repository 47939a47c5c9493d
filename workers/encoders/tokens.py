"""Texts to token ids: a model's own tokenizer, and a shortcut past the one that nearly all of open_clip's models have.

`SimpleTokenizer` repairs a text's encoding, unescapes its HTML, cleans its spaces and takes it apart with a regular
expression, 50 microseconds for five words. Of plain ASCII the cleaning leaves everything but spaces and capitals as it
is, and no token reaches over a space: so the ids of such a text are those of its words, and words come again.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from workers.device_trouble import as_exception
from workers.encoders.protocol import Tokens
from workers.encoders.torchvision_ops import open_clip

logger = logging.getLogger(__name__)

Tokenizer = Callable[..., torch.Tensor]  # (texts, context_length=…) → (n, context) ids

# The BPE tokenizer remembers each word that it ever saw; this many words are about 20 MB.
CACHED_WORDS = 100_000
# Longer ones are no words, and need not be remembered.
LONGEST_WORD = 32
CHECKED = ("", "a", "A Happy  cat's", "two red bicycles, 12 boats; the_end", " <end_of_text> (x) " + "word " * 200)


class Texts:
    """A model's tokenizer, with what open_clip's leave open: threads, memory, and whether a text was cut."""

    def __init__(self, tokenizer: Any, *, context_length: int) -> None:
        self._tokenizer = tokenizer
        self._context_length = context_length
        self._lock = threading.Lock()
        self._first_words = dict(getattr(tokenizer, "cache", {}))
        # The last position may hold a class token, the one before it pads every shorter text.
        self._pad_id = int(tokenizer([""])[0, -2])
        self._words = self._proven_words()

    def tokenize(self, text: str) -> tuple[Tokens, bool]:
        """(context_length,) ids, and whether the text was cut. Raises what the model's own tokenizer raises."""
        try:
            with self._lock:
                if self._words is not None and self._words.suits(text):
                    return self._words.ids(text, self._context_length)
                return self._as_it_is(text)
        except Exception:
            raise
        except BaseException as error:
            # Some are written in Rust, and panic.
            raise as_exception(error) from error

    def _encode(self, word: str) -> list[int]:
        self._bound_cache()
        ids: list[int] = self._tokenizer.encode(word)
        return ids

    def _as_it_is(self, text: str) -> tuple[Tokens, bool]:
        self._bound_cache()
        ids = self._ids(text, self._context_length)
        return ids, bool(ids[-2] != self._pad_id) and self._is_longer(text, ids)

    def _ids(self, text: str, context_length: int) -> Tokens:
        ids: Tokens = self._tokenizer([text], context_length=context_length)[0].numpy().astype(np.int64, copy=False)
        return ids

    def _is_longer(self, text: str, ids: Tokens) -> bool:
        """Only a full context is worth the second look."""
        roomy = self._ids(text, 2 * self._context_length)
        return int((roomy != self._pad_id).sum()) > int((ids != self._pad_id).sum())

    def _bound_cache(self) -> None:
        cache: dict[str, str] | None = getattr(self._tokenizer, "cache", None)
        if cache is not None and len(cache) > CACHED_WORDS:
            cache.clear()
            cache.update(self._first_words)

    def _proven_words(self) -> "Words | None":
        """The shortcut, where the tokenizer is the one that it is for, and it gives the same."""
        if not may_go_by_words(self._tokenizer):
            return None
        words = Words(self._tokenizer, encode=self._encode)
        for text in CHECKED:
            (quick, quick_cut), (stock, stock_cut) = words.ids(text, self._context_length), self._as_it_is(text)
            if quick_cut != stock_cut or not np.array_equal(quick, stock):
                logger.warning("texts take the tokenizer's own way: word by word %r has other ids", text[:40])
                return None
        return words


class Words:
    """The ids of a `SimpleTokenizer`, of each word from memory. Ask `suits` first; not thread-safe."""

    def __init__(self, tokenizer: Any, *, encode: Callable[[str], list[int]]) -> None:
        self._encode = encode
        self._first, self._last = int(tokenizer.sot_token_id), int(tokenizer.eot_token_id)
        self._known: dict[str, list[int]] = {}

    @staticmethod
    def suits(text: str) -> bool:
        """Whether cleaning would change nothing but spaces and capitals."""
        return text.isascii() and text.isprintable() and "&" not in text

    def ids(self, text: str, context_length: int) -> tuple[Tokens, bool]:
        """(context_length,), padded with zeros, and whether the text was cut."""
        found = [self._first]
        for word in text.lower().split():
            found += self._known.get(word) or self._learn(word)
        found.append(self._last)
        cut = len(found) > context_length
        if cut:
            found = [*found[: context_length - 1], self._last]
        ids = np.zeros(context_length, dtype=np.int64)
        ids[: len(found)] = found
        return ids, cut

    def _learn(self, word: str) -> list[int]:
        ids = self._encode(word)
        if len(self._known) >= CACHED_WORDS:
            self._known.clear()
        if len(word) <= LONGEST_WORD:
            self._known[word] = ids
        return ids


def may_go_by_words(tokenizer: Any) -> bool:
    """Whether it is open_clip's own BPE, cleaning as CLIP does and cutting off what is too long."""
    return (
        type(tokenizer) is open_clip.SimpleTokenizer
        and tokenizer.clean_fn is getattr(open_clip.tokenizer, "_clean_lower", None)
        and tokenizer.reduction_fn is None
    )
