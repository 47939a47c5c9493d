"""Python's collector of reference cycles, in processes that live for days beside large libraries."""

import gc


def leave_out_what_exists() -> None:
    """Collect once, and leave what exists now out of every later collection. Call it when all is loaded.

    A full collection walks every object: with torch's it holds a worker's loop and its device up for 0.2 s, again and
    again. What comes later is collected as before.
    """
    gc.collect()
    gc.freeze()
