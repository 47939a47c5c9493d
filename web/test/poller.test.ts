import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Backoff } from "../src/client/backoff.ts";
import { Poller } from "../src/dashboard/poller.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Watched {
  poller: Poller<number>;
  asked: AbortSignal[];
  found: number[];
  failures: unknown[];
}

function watched(load: (turn: number) => Promise<number>): Watched {
  const asked: AbortSignal[] = [];
  const found: number[] = [];
  const failures: unknown[] = [];
  const poller = new Poller({
    load: (signal) => load(asked.push(signal)),
    everyMs: 1_000,
    found: (data) => found.push(data),
    failed: (error) => failures.push(error),
    backoff: new Backoff({ baseMs: 1_000, capMs: 30_000, random: () => 1 }),
  });
  return { poller, asked, found, failures };
}

test("asks at once and then in even steps", async () => {
  const { poller, found } = watched((turn) => Promise.resolve(turn));
  poller.start();
  await vi.advanceTimersByTimeAsync(2_500);
  poller.stop();
  expect(found).toEqual([1, 2, 3]);
});

test("asks ever more rarely while it fails, and evenly again after a success", async () => {
  const { poller, asked, failures, found } = watched((turn) =>
    turn <= 3 ? Promise.reject(new Error("away")) : Promise.resolve(turn),
  );
  poller.start();
  await vi.advanceTimersByTimeAsync(2_000 + 3_000);
  expect(failures).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(4_999);
  expect(asked).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(1_001);
  expect(found).toEqual([4, 5]);
  poller.stop();
});

test("a stopped poller asks no more and its answer under way is given up", async () => {
  const { poller, asked, found } = watched(() => new Promise((resolve) => setTimeout(() => resolve(1), 500)));
  poller.start();
  poller.stop();
  await vi.advanceTimersByTimeAsync(10_000);
  expect([asked.length, asked[0]?.aborted, found]).toEqual([1, true, []]);
});

test("a slow answer is waited for, not asked for twice", async () => {
  const { poller, asked } = watched(() => new Promise((resolve) => setTimeout(() => resolve(1), 5_000)));
  poller.start();
  await vi.advanceTimersByTimeAsync(4_999);
  expect(asked).toHaveLength(1);
  poller.stop();
});

test("the backoff's ceiling doubles up to its cap, and the wait lies anywhere below", () => {
  const highest = new Backoff({ baseMs: 250, capMs: 1_000, random: () => 1 });
  expect([highest.next(), highest.next(), highest.next(), highest.next()]).toEqual([250, 500, 1_000, 1_000]);
  highest.reset();
  expect(highest.next(2_000)).toBe(2_250);
  expect(new Backoff({ random: () => 0 }).next()).toBe(0);
});
