"""Relevance feedback: from a query and marked examples to what the store is asked for.

Strategies take unit vectors: `query` (dim,), zero when there is none but examples; `positive`, `negative` (n, dim).
"""

import warnings

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]  # (dim,)
Matrix = npt.NDArray[np.float32]  # (n, dim)

# Weights of the examples against the query itself: Rocchio's, as in Manning, Raghavan and Schütze,
# "Introduction to Information Retrieval", 9.1.1.
POSITIVE = 0.75
NEGATIVE = 0.15
# How strongly the classifier is pulled to fit its few examples, and its normal's weight against the query's own part.
# Both chosen on users that `bench.feedback` leaves out; between 0.1 and 10, and 0.5 and 2, little changes.
FIT = 1.0
NORMAL = 0.5
# Bounds its time: 5 ms for 512 dimensions.
MAX_EXAMPLES = 256


def rocchio(query: Vector, positive: Matrix, negative: Matrix) -> Vector:
    """The query, drawn to the mean of the good examples and pushed from that of the bad ones."""
    # Examples alone are a query too; there the weight only scales.
    turned: Vector = query + POSITIVE * mean(positive, like=query) - NEGATIVE * mean(negative, like=query)
    return turned


def classifier(query: Vector, positive: Matrix, negative: Matrix, background: Matrix) -> Vector:
    """The query, turned by the normal of the plane that parts the good examples from bad ones and random items.

    A linear classifier's normal as the query is Exquisitor's way (Jónsson et al., "Exquisitor: Interactive Learning at
    Large", 2019); `background` (n, dim) are its sampled negatives. 2 to 5 ms; to be run off the event loop.
    """
    from sklearn.linear_model import LogisticRegression

    good = positive[-MAX_EXAMPLES:]
    bad = np.concatenate([negative[-MAX_EXAMPLES:], background[:MAX_EXAMPLES]])
    if not len(bad):
        return rocchio(query, positive, negative)
    rows = np.concatenate([good, bad]).astype(np.float64)
    marks = np.repeat([1, 0], [len(good), len(bad)])
    # What somebody marked weighs twice what was drawn.
    weights = np.concatenate(
        [
            np.full(len(good), 1 / len(good)),
            np.where(np.arange(len(bad)) < len(negative[-MAX_EXAMPLES:]), 2.0, 1.0) / len(bad),
        ]
    )
    model = LogisticRegression(C=FIT * len(rows), max_iter=100)
    with warnings.catch_warnings():
        # Not converged in so many steps is near enough for a direction.
        warnings.simplefilter("ignore")
        model.fit(rows, marks, sample_weight=weights)
    return query + NORMAL * unit(model.coef_[0].astype(np.float32))


def mean(rows: Matrix, *, like: Vector) -> Vector:
    return rows.mean(axis=0, dtype=np.float32) if len(rows) else np.zeros_like(like)


def unit(vector: Vector) -> Vector:
    """To length 1; parts that cancel out exactly leave no direction and stay zero."""
    length = float(np.linalg.norm(vector))
    return vector if length == 0.0 else (vector / length).astype(np.float32)
