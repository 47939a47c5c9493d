"""What payloads say, and whether two say the same."""

import math


def same_json(one: object, other: object) -> bool:
    """Whether two payloads say the same: true is not 1, and floats may differ in the last digit (Qdrant's JSON)."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-15)
    return isinstance(one, bool) == isinstance(other, bool) and one == other
