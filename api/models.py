"""Which model a job is for, and what is said when the fleet has none of that name."""

from api.state import State
from shared.errors import Invalid, ModelMismatch
from shared.jobs import Collection
from shared.model_names import DEFAULT_MODEL


def known(state: State, name: str | None) -> str:
    """What a client asked for, or the default model. Raises Invalid for a name that the fleet does not have."""
    names = state["settings"].model_names
    if name is not None and name not in names:
        raise Invalid(f"no model {name!r}; there is {', '.join(names)}", field="model_name")
    return name or DEFAULT_MODEL


def serving(state: State, collection: Collection) -> str:
    """The model whose workers serve a collection. Raises ModelMismatch when the fleet no longer has it."""
    if collection.model_name not in state["settings"].model_names:
        raise ModelMismatch(
            f"collection {collection.name!r} is one of the model {collection.model_name!r}, which CLIPLINE_MODELS does "
            f"not name; `clipline collections reindex {collection.name} --model NAME` moves it to another",
            field="collection",
        )
    return collection.model_name


async def reaching(state: State, collection: Collection) -> str:
    """For what needs no encoder: the collection's model, or another when no live worker holds that."""
    names = state["settings"].model_names
    own = collection.model_name if collection.model_name in names else DEFAULT_MODEL
    if len(names) == 1:
        return own
    workers = await state["fleet"].live()
    return next((name for name in (own, *names) if any(one.holds(name) for one in workers)), own)


async def is_held(state: State, name: str) -> bool:
    """Whether a live worker has it."""
    return any(worker.holds(name) for worker in await state["fleet"].live())
