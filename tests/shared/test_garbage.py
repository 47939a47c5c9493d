"""What exists once all is loaded costs no later collection anything; what comes after is collected."""

import subprocess
import sys

PROGRAM = """
import gc, weakref
from shared.garbage import leave_out_what_exists

class Ring:
    pass

def ring():
    one = Ring()
    one.itself = one
    return one

old = ring()
lost = weakref.ref(ring())
leave_out_what_exists()
assert lost() is None, "garbage of before is gone"
assert gc.get_freeze_count() > 1_000
seen = gc.get_objects()
assert not any(each is old for each in seen), "what exists is not walked again"
new = weakref.ref(ring())
gc.collect()
assert new() is None, "what comes later is collected"
"""


def test_a_full_collection_walks_only_what_came_later() -> None:
    # In a process of its own: what is left out stays so.
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
