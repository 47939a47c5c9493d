"""Python's collector of reference cycles, in processes that live for days beside large libraries."""

import gc

# So many more objects made than gone start a collection of the young ones, which takes less than a millisecond.
YOUNG_OBJECTS = 10_000


def leave_out_what_exists() -> None:
    """Collect once, and leave what exists now out of every later collection. Call it when all is loaded.

    A full collection walks every object: with torch's it holds a worker's loop and its device up for 0.2 s, again and
    again. What comes later is collected as before, but not at every 700 objects: what a few dozen jobs under way hold
    was walked so often that it took 4 % of the CPU time of an API and of a worker's loop.
    """
    gc.collect()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    gc.freeze()
