"""What is done for a worker whose process is gone: its jobs go on elsewhere at once, not when their leases lapse.

Only for one that was waited for as a child is (waitpid): one that is merely slow, or cut off, keeps what it holds.
"""

import logging

from shared import scripts, sentinel
from shared.connection import redis_errors, thread_client
from shared.errors import Unavailable
from shared.lanes import lanes_of
from shared.settings import Settings

logger = logging.getLogger(__name__)

# The leases lapse by themselves before long: no use in trying for longer.
CALL_TIMEOUT_S = 1.0


def bury(settings: Settings, worker_id: str) -> None:
    """End its leases, wake those who may take its jobs, and take it off the list of workers."""
    redis = thread_client(settings.redis_url, timeout_s=CALL_TIMEOUT_S)
    script = redis.register_script(scripts.source("bury", settings))
    try:
        with redis_errors():
            held = script(keys=[], args=[worker_id, *lanes_of(settings.model_names)])
    except Unavailable as error:
        logger.warning("the leases of %s are left to lapse: %s", worker_id, error)
    else:
        logger.info("worker %s is gone: %d jobs go on elsewhere", worker_id, held)
    finally:
        sentinel.close_sync(redis)
