"""The one way to an encoder."""

from shared.settings import Settings
from workers.encoders.protocol import Encoder


def load_encoder(settings: Settings) -> Encoder:
    """Raises SettingsError, naming the variable, for a model, device or precision that cannot be had."""
    # torch and open_clip take seconds to import, and only a process that encodes needs them.
    from workers.encoders.assembly import assemble

    return assemble(settings)
