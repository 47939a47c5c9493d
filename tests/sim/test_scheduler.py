"""The scheduler under any order of submits, claims, failures, lapses and cancels, on the real scripts and Redis."""

import asyncio
from collections import Counter, defaultdict
from functools import partial
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from shared import keys
from shared.connection import connect
from shared.errors import JobFinished
from shared.events import START, Events, of_jobs
from shared.jobs import FINAL, LANES, JobView, Lane, Query, Search
from shared.queue import Queue
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.sim.hands import Hands
from workers.outcome import Running

TENANTS = ("ann", "bob", "eve")
WORKERS = ("sound-1", "sound-2", "frozen-1", "frozen-2")
LONG_S = 600.0
# Over before the next call, so that a worker with such leases is one that stood still.
NO_TIME_S = 0.001
DRAIN_ROUNDS = 400
PAUSE_S = 0.002
SOON_MS = 1_000

PICKS = st.integers(0, 99)

Held = tuple[str, Running]  # a worker's name and what it believes to run


class Scheduler(RuleBasedStateMachine):
    """Sound workers hold their leases; frozen ones lose them at once, and go on as if nothing had happened."""

    jobs = Bundle("jobs")

    def __init__(self, redis_url: str) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.settings = Settings(redis_url=redis_url, max_queued_interactive=10_000)
        self.runs: list[Held] = []
        self.held: dict[str, Held] = {}
        self.ended: set[str] = set()
        self.order: defaultdict[tuple[str, Lane], list[str]] = defaultdict(list)
        self.slots: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self.place: dict[str, tuple[str, Lane]] = {}
        self.started: set[str] = set()

    @initialize()
    def open(self) -> None:
        self._opened = connect(self.settings)
        self.redis = self.loop.run(self._opened.__aenter__())
        self.loop.run(self.redis.flushdb())
        self.queue = Queue(self.redis, self.settings)
        self.hands = {
            name: Hands(
                self.redis, self.settings, name=name, lease_s=NO_TIME_S if name.startswith("frozen") else LONG_S
            )
            for name in WORKERS
        }

    @rule(
        target=jobs,
        tenant=st.sampled_from(TENANTS),
        lane=st.sampled_from(LANES),
        slot=st.sampled_from([None, None, "one", "two"]),
    )
    def submit(self, tenant: str, lane: Lane, slot: str | None) -> str:
        job = Search(
            collection="sim",
            query=Query(text="cat"),
            lane=lane,
            slot=slot,
            session=tenant if slot is not None else None,
        )
        sent = self.loop.run(self.queue.submit(job, tenant=tenant))
        self.place[sent.id] = (tenant, lane)
        self.order[tenant, lane].append(sent.id)
        if slot is not None:
            self._supersede(tenant, slot, sent.id)
        return sent.id

    def _supersede(self, tenant: str, slot: str, newest: str) -> None:
        for older in self.slots[tenant, slot]:
            if older not in self.ended and self._view(older).state in FINAL:
                assert self._view(older).state == "superseded"
                self.ended.add(older)
        self.slots[tenant, slot].append(newest)

    @rule(worker=st.sampled_from(WORKERS), interactive=st.integers(0, 3), bulk=st.integers(0, 2))
    def claim(self, worker: str, interactive: int, bulk: int) -> None:
        self.loop.run(self._until_all_is_due())
        found = self.loop.run(self.hands[worker].claim({"interactive": interactive, "bulk": bulk}))
        self._note_dead()
        assert Counter(one.lane for one in found) <= Counter(interactive=interactive, bulk=bulk)
        for one in found:
            self._note_claim(worker, one)
        self.runs += [(worker, one) for one in found]

    def _take_run(self, pick: int) -> Held | None:
        """One of the runs that somebody believes in. No bundle: how many there are hangs on ids, which are random."""
        return self.runs.pop(pick % len(self.runs)) if self.runs else None

    def _note_claim(self, worker: str, one: Running) -> None:
        job_id = one.job_id
        assert job_id not in self.ended, "an ended job may not start"
        assert not self._is_sound(job_id), "two workers may not hold a job"
        if job_id not in self.started:
            line = self.order[self.place[job_id]]
            assert set(line[: line.index(job_id)]) <= {*self.started, *self.ended}, "a tenant's jobs start in order"
        for same_slot in self.slots.values():
            if job_id in same_slot:
                newer = same_slot[same_slot.index(job_id) + 1 :]
                assert self.started.isdisjoint(newer), "an older job of a slot may not start after a newer one"
        self.held[job_id] = (worker, one)
        self.started.add(job_id)

    def _is_sound(self, job_id: str) -> bool:
        """Whether a worker holds the job that has not lost its lease."""
        return job_id in self.held and self.held[job_id][0].startswith("sound")

    @rule(pick=PICKS, succeeds=st.booleans())
    def end(self, pick: int, succeeds: bool) -> None:
        if (run := self._take_run(pick)) is None:
            return
        worker, running = run
        before = self._view(running.job_id)
        hands = self.hands[worker]
        self.loop.run(hands.succeed(running) if succeeds else hands.fail(running))
        self._check_fence(run, before)

    @rule(
        pick=PICKS,
        # What a worker whose clock is an hour off makes of "now", and the truth.
        delay_s=st.sampled_from([-3_600.0, 0.0, 0.001]),
        counted=st.booleans(),
    )
    def hand_back(self, pick: int, delay_s: float, counted: bool) -> None:
        if (run := self._take_run(pick)) is None:
            return
        worker, running = run
        before = self._view(running.job_id)
        self.loop.run(self.hands[worker].hand_back(running, delay_s=delay_s, counted=counted))
        self._check_fence(run, before)

    def _check_fence(self, run: Held, before: JobView) -> None:
        """Only the last holder of a job that has not ended may change it."""
        after = self._view(before.id)
        if before.state in FINAL or self.held.get(before.id, ("",))[0] != run[0]:
            assert after == before, "a worker that lost its lease changed the job"
            return
        assert after.state != "running", "its holder was refused"
        del self.held[before.id]
        if after.state in FINAL:
            self.ended.add(before.id)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        tenant, _ = self.place[job_id]
        try:
            outcome = self.loop.run(self.queue.cancel(tenant, job_id))
        except JobFinished:
            assert self._view(job_id).state in FINAL
            return
        if outcome == "cancelled":
            assert not self._is_sound(job_id), "a running job is asked, not ended"
            self.ended.add(job_id)

    async def _until_all_is_due(self) -> None:
        """Leases of the frozen and short delays are over, so that what a claim brings does not hang on the clock."""
        async with asyncio.timeout(10):
            while True:
                seconds, micros = await self.redis.time()
                now = seconds * 1000 + micros // 1000
                if not sum([await self.redis.zcount(keys.queue(lane), f"({now}", now + SOON_MS) for lane in LANES]):
                    return
                await asyncio.sleep(PAUSE_S)

    def _view(self, job_id: str) -> JobView:
        return self.loop.run(self.queue.result(self.place[job_id][0], job_id))

    def _note_dead(self) -> None:
        """A claim may end what waits: expired, cancelled while nobody held it, or its workers were lost too often."""
        for job_id in self.place.keys() - self.ended:
            if self._view(job_id).state in FINAL:
                assert not self._is_sound(job_id), "a held job was ended by another"
                self.ended.add(job_id)
                self.held.pop(job_id, None)

    def teardown(self) -> None:
        if hasattr(self, "redis"):
            try:
                self.loop.run(self._drain())
                self.loop.run(self._check_end())
            finally:
                self.loop.run(self._opened.__aexit__(None, None, None))
        self.loop.close()

    async def _drain(self) -> None:
        """The sound workers end what they hold, one more takes the rest."""
        for worker_id, running in self.held.values():
            if worker_id.startswith("sound"):
                await self.hands[worker_id].succeed(running)
        worker = Hands(self.redis, self.settings, name="last", lease_s=LONG_S)
        for _ in range(DRAIN_ROUNDS):
            for one in await worker.claim(dict.fromkeys(LANES, 64)):
                await worker.succeed(one)
            if not sum((await self.queue.depths()).values()):
                return
            await asyncio.sleep(PAUSE_S)
        raise AssertionError("jobs are left that nobody is given")

    async def _check_end(self) -> None:
        ends: defaultdict[str, list[str]] = defaultdict(list)
        events = Events(self.redis)
        for event in of_jobs(await events.between(START, await events.last())):
            if event.state in FINAL:
                ends[event.job].append(event.state)
        for job_id, (tenant, _) in self.place.items():
            view = await self.queue.result(tenant, job_id)
            assert [view.state] == ends[job_id], f"{job_id} must end once"
        for tenant in TENANTS:
            assert not await self.redis.zcard(keys.jobs_in(tenant, "running"))
            assert not await self.redis.zcard(keys.jobs_in(tenant, "queued"))


def test_no_job_is_lost_or_held_twice_in_any_order_of_events(redis_server: RedisServer) -> None:
    run_state_machine_as_test(
        cast(Any, partial(Scheduler, redis_server.url)),
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
