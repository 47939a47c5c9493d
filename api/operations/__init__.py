"""What every route takes and answers, for the OpenAPI document."""

from api.operations.collections import COLLECTIONS
from api.operations.jobs import JOBS
from api.operations.operation import Error, Operation, Plain, Upload
from api.operations.operators import OPERATORS
from api.operations.sessions import SESSIONS

__all__ = ["OPERATIONS", "Error", "Operation", "Plain", "Upload"]

OPERATIONS: tuple[Operation, ...] = (*JOBS, *COLLECTIONS, *SESSIONS, *OPERATORS)
