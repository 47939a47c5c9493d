"""Whatever is done to jobs in whatever order: record, indexes, queue, lease and events agree."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from shared import keys
from shared.connection import connect
from shared.errors import JobFinished, JobNotFound, JobNotRetryable, QueueFull
from shared.events import START, Events, of_jobs
from shared.jobs import FINAL, LANES, RETRYABLE, STATES, Lane, State
from shared.queue import Queue
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.shared.examples import few
from tests.shared.hand import Hand, a_search

TENANTS = ["a", "b"]
BOUND = 6
workers = st.sampled_from(["w1", "w2"])


class Told(msgspec.Struct):
    """What the machine believes of one job."""

    tenant: str
    lane: Lane
    state: State
    worker: str | None = None
    leased: bool = False
    stop_as: State | None = None
    slot: str | None = None
    crashes: int = 0

    def held_by(self, worker: str) -> bool:
        """Its lease may have lapsed, as long as nobody else took the job."""
        return self.worker == worker and self.state in {"queued", "running"}

    def fall_due(self, claimer: str) -> None:
        """Its lease has lapsed, and somebody asks for jobs."""
        if self.worker != claimer and not self.stop_as:
            self.crashes += 1
        self.state = "dead" if self.crashes >= 2 else "queued"


class Jobs(RuleBasedStateMachine):
    server: RedisServer
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.server.flush()
        self.runner = asyncio.Runner()
        self.settings = Settings(
            redis_url=self.server.url, max_queued_interactive=BOUND, max_queued_bulk=BOUND, keep_jobs=1_000
        )
        self.opened = connect(self.settings)
        self.redis = self.run(self.opened.__aenter__())
        self.queue = Queue(self.redis, self.settings)
        self.hands = {name: Hand(self.redis, self.settings, worker=name) for name in ("w1", "w2")}
        self.told: dict[str, Told] = {}

    def run(self, call: Any) -> Any:
        return self.runner.run(call)

    def teardown(self) -> None:
        self.run(self.opened.__aexit__(None, None, None))
        self.runner.close()

    def in_lane(self, lane: Lane) -> list[str]:
        return [one for one, told in self.told.items() if told.lane == lane and told.state not in FINAL]

    @rule(target=jobs, tenant=st.sampled_from(TENANTS), lane=st.sampled_from(LANES), slot=st.sampled_from([None, "x"]))
    def submit(self, tenant: str, lane: Lane, slot: str | None) -> Any:
        search = a_search(lane=lane, session="s" if slot else None, slot=slot)
        if len(self.in_lane(lane)) >= BOUND:
            with pytest.raises(QueueFull):
                self.run(self.queue.submit(search, tenant=tenant))
            return multiple()
        sent = self.run(self.queue.submit(search, tenant=tenant))
        if slot:
            self.take_slot(tenant, slot)
        self.told[sent.id] = Told(tenant=tenant, lane=lane, state="queued", slot=slot)
        return sent.id

    def take_slot(self, tenant: str, slot: str) -> None:
        """Only the one that took the slot last is superseded; one that was retried since has no slot."""
        for told in self.told.values():
            if told.tenant == tenant and told.slot == slot:
                told.slot = None
                if told.state == "queued":
                    told.state = "superseded"
                elif told.state == "running":
                    told.stop_as = "superseded"

    @rule(worker=workers, count=st.integers(1, 4))
    def claim(self, worker: str, count: int) -> None:
        for told in self.told.values():
            if told.state == "running" and not told.leased:
                told.fall_due(worker)
        claimed = self.run(self.hands[worker].claim(count))
        for lane in LANES:
            mine = [one for one in claimed if self.told[one].lane == lane]
            due = [one for one in self.in_lane(lane) if not self.told[one].leased]
            stopped = [one for one in due if self.told[one].stop_as]
            assert len(mine) == min(count, len(due) - len(stopped))
            assert set(mine) <= set(due) - set(stopped)
        for one in claimed:
            self.told[one].state, self.told[one].worker, self.told[one].leased = "running", worker, True
        for one, told in self.told.items():
            if told.stop_as and not told.leased and told.state not in FINAL:
                self.see_stopped(one, told)

    def see_stopped(self, one: str, told: Told) -> None:
        """A claim ends what was asked to stop when it comes across it, unless it had enough before."""
        state = self.run(self.queue.result(told.tenant, one)).state
        assert state in {told.state, told.stop_as}
        if state in FINAL:
            told.state, told.stop_as = state, None

    @rule(
        job=jobs,
        worker=workers,
        state=st.sampled_from(["succeeded", "failed", "dead", "cancelled"]),
    )
    def finish(self, job: str, worker: str, state: State) -> None:
        told = self.told[job]
        ours = told.held_by(worker)
        assert self.run(self.hands[worker].finish(job, state, lane=told.lane)) == ours
        if ours:
            superseded = state == "cancelled" and told.stop_as == "superseded"
            told.state, told.leased, told.stop_as = ("superseded" if superseded else state), False, None

    @rule(job=jobs, worker=workers, counted=st.booleans())
    def release(self, job: str, worker: str, counted: bool) -> None:
        told = self.told[job]
        ours = told.held_by(worker)
        assert self.run(self.hands[worker].release(job, counted=counted, lane=told.lane)) == ours
        if ours:
            told.state, told.leased, told.worker = "queued", False, None

    @rule(job=jobs)
    def lapse(self, job: str) -> None:
        self.run(self.hands["w1"].lapse(job, lane=self.told[job].lane))
        self.told[job].leased = False

    @rule(worker=workers)
    def bury(self, worker: str) -> None:
        held = [told for told in self.told.values() if told.leased and told.worker == worker]
        assert self.run(self.hands["w1"].bury(worker)) == len(held)
        for told in held:
            told.leased = False

    @rule(job=jobs, stranger=st.booleans())
    def cancel(self, job: str, stranger: bool) -> None:
        told = self.told[job]
        if stranger:
            with pytest.raises(JobNotFound):
                self.run(self.queue.cancel("c", job))
        elif told.state in FINAL:
            with pytest.raises(JobFinished):
                self.run(self.queue.cancel(told.tenant, job))
        elif told.leased:
            assert self.run(self.queue.cancel(told.tenant, job)) == "cancelling"
            told.stop_as = "cancelled"
        else:
            assert self.run(self.queue.cancel(told.tenant, job)) == "cancelled"
            told.state, told.stop_as = "cancelled", None

    @rule(job=jobs)
    def retry(self, job: str) -> None:
        told = self.told[job]
        call = self.queue.retry(told.tenant, job)
        if told.state not in RETRYABLE:
            with pytest.raises(JobNotRetryable):
                self.run(call)
        elif len(self.in_lane(told.lane)) >= BOUND:
            with pytest.raises(QueueFull):
                self.run(call)
        else:
            self.run(call)
            told.state, told.worker, told.crashes = "queued", None, 0

    @rule(job=consumes(jobs))
    def forget(self, job: str) -> None:
        """The machine draws other jobs from now on; the invariants still hold for this one."""

    @invariant()
    def everything_agrees(self) -> None:
        self.run(self.check())

    async def check(self) -> None:
        indexed: dict[str, list[State]] = {}
        for tenant in TENANTS:
            for state in STATES:
                for one in await self.redis.zrange(keys.jobs_in(tenant, state), 0, -1):
                    indexed.setdefault(one.decode(), []).append(state)
        queued = {one.decode() for lane in LANES for one in await self.redis.zrange(keys.queue(lane), 0, -1)}
        stream = Events(self.redis)
        last = {event.job: event.state for event in of_jobs(await stream.between(START, await stream.last()))}
        for one, told in self.told.items():
            record = (await self.redis.hget(keys.record(one), "state")).decode()
            assert [record] == indexed[one] == [last[one]] == [told.state]
            assert (one in queued) == (told.state not in FINAL)
            assert bool(await self.redis.exists(keys.ARQ_LEASE + one)) == told.leased
            assert told.state == "running" or not told.leased
            kept = await self.redis.exists(keys.kept_body(one)), await self.redis.exists(keys.ARQ_JOB + one)
            assert kept == (int(told.state in FINAL), int(told.state not in FINAL))
        assert queued <= set(self.told)


# No shrinking: every step asks Redis, and what failed is short enough to read.
steps = settings(few, stateful_step_count=40, phases=[Phase.explicit, Phase.reuse, Phase.generate])


def test_every_job_is_in_exactly_one_state_whatever_happens(redis_server: RedisServer) -> None:
    Jobs.server = redis_server
    run_state_machine_as_test(Jobs, settings=steps)
