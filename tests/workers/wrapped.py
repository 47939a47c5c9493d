"""A real encoder that a test looks into, or holds up."""

from collections.abc import Sequence

from workers.encoders.protocol import Encoder, EncoderInfo, Matrix, Pixels, Tokens


class Wrapped:
    """Passes everything on."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.info: EncoderInfo = encoder.info
        self.preprocess = encoder.preprocess

    def tokenize(self, text: str) -> tuple[Tokens, bool]:
        return self._encoder.tokenize(text)

    def memory_bytes(self) -> dict[str, int]:
        return self._encoder.memory_bytes()

    def encode_texts(self, tokens: Sequence[Tokens]) -> Matrix:
        return self._encoder.encode_texts(tokens)

    def encode_images(self, images: Sequence[Pixels]) -> Matrix:
        return self._encoder.encode_images(images)
