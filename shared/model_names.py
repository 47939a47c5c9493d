"""The models of a fleet by name: what the settings say of them."""

from typing import NamedTuple

# Of CLIPLINE_MODEL and CLIPLINE_PRETRAINED.
DEFAULT_MODEL = "default"
# Each costs a worker that holds it two connections to Redis, and the API a look at two lanes.
MOST = 16
# Open_clip finds the weights of these by itself.
WHOLE = ("local-dir:", "hf-hub:")


class ModelSource(NamedTuple):
    """As CLIPLINE_MODEL and CLIPLINE_PRETRAINED say it."""

    model: str
    pretrained: str


def read_models(text: str) -> dict[str, ModelSource]:
    """From `photo=ViT-L-14/laion2b_s32b_b82k,demo=local-dir:demo/model`. Raises ValueError, saying what is wrong."""
    found: dict[str, ModelSource] = {}
    for pair in filter(None, text.split(",")):
        name, _, what = pair.partition("=")
        if name == DEFAULT_MODEL:
            raise ValueError(f"{DEFAULT_MODEL!r} is the one that CLIPLINE_MODEL names")
        if name in found:
            raise ValueError(f"{name!r} is there twice")
        found[name] = _source(name, what)
    if len(found) >= MOST:
        raise ValueError(f"a fleet has at most {MOST} models, with {DEFAULT_MODEL!r}")
    return found


def _source(name: str, what: str) -> ModelSource:
    if what.startswith(WHOLE):
        return ModelSource(what, "")
    model, slash, pretrained = what.partition("/")
    if not slash or not model or not pretrained:
        raise ValueError(f"{name!r} is neither ARCHITECTURE/WEIGHTS, local-dir:FOLDER nor hf-hub:NAME")
    return ModelSource(model, pretrained)


def read_held(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """From `default,photo`; all that are known when it is empty. Raises ValueError for one that is not."""
    names = tuple(dict.fromkeys(filter(None, text.split(","))))
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is not among the models of the fleet: {', '.join(known)}")
    return names or known
