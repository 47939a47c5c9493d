import { expect, test } from "vitest";

import { FetchQueue } from "../src/ui/fetch-queue.ts";
import { age, ago, duration, nameOf, plain, plural, stages } from "../src/ui/format.ts";

test.each([
  [0.94, "0.9 ms"],
  [14.2, "14 ms"],
  [1_240, "1.2 s"],
  [75_000, "1 min"],
])("%f milliseconds read as %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test("ages grow coarser", () => {
  expect([age(3), age(59), age(3_599), age(7_200), age(200_000)]).toEqual(["3.0 s", "59 s", "59 min", "2 h", "2 d"]);
});

test("what is new or from a clock ahead of ours was just now", () => {
  const now = Date.parse("2026-01-01T00:00:10Z");
  expect(ago("2026-01-01T00:00:09.5Z", now)).toBe("just now");
  expect(ago("2026-01-01T00:00:40Z", now)).toBe("just now");
  expect(ago("2026-01-01T00:00:05Z", now)).toBe("5 s ago");
});

test("the stages of a search stand in the order in which they happen", () => {
  const took = { queue_ms: 0.9, encode_ms: 14.23, search_ms: 2.4, total_ms: 18.1 };
  expect(stages(took)).toBe("queue 0.9 ms · encode 14 ms · search 2.4 ms · total 18 ms");
});

test("one is one, and thousands are grouped", () => {
  expect([plural(1, "picture"), plural(1_800, "picture")]).toEqual(["1 picture", "1,800 pictures"]);
});

test("a picture is called by its label, or by its id", () => {
  expect(nameOf(7, { label: "red apple" })).toBe("red apple");
  expect([nameOf(7), nameOf(7, { label: " " }), nameOf(7, { label: 3 })]).toEqual(Array(3).fill("picture 7"));
});

test("payload values read as text", () => {
  expect([plain(["a", 1]), plain("x"), plain({ a: 1 }), plain(null), plain(undefined)]).toEqual([
    "a, 1",
    "x",
    '{"a":1}',
    "null",
    "",
  ]);
});

function gate(): { open: () => void; passed: Promise<void> } {
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { open, passed };
}

test("no more downloads run at once than allowed", async () => {
  const queue = new FetchQueue(2);
  const gates = [gate(), gate(), gate()];
  const started: number[] = [];
  const { signal } = new AbortController();
  const work = gates.map(({ passed }, index) =>
    queue.run(() => {
      started.push(index);
      return passed;
    }, signal),
  );
  await Promise.resolve();
  expect([started, queue.waiting]).toEqual([[0, 1], 1]);
  gates[1]?.open();
  await work[1];
  expect(started).toEqual([0, 1, 2]);
  gates.forEach(({ open }) => open());
  await Promise.all(work);
});

test("a download that is no longer wanted leaves the queue and frees nobody else's turn", async () => {
  const queue = new FetchQueue(1);
  const { open, passed } = gate();
  const stop = new AbortController();
  const first = queue.run(() => passed, new AbortController().signal);
  const unwanted = queue.run(() => Promise.reject(new Error("must not run")), stop.signal);
  stop.abort(new Error("gone"));
  await expect(unwanted).rejects.toThrow("gone");
  expect(queue.waiting).toBe(0);
  open();
  await first;
  await expect(queue.run(() => Promise.resolve(5), new AbortController().signal)).resolves.toBe(5);
});

test("a failed download gives its turn to the next", async () => {
  const queue = new FetchQueue(1);
  const { signal } = new AbortController();
  const failing = queue.run(() => Promise.reject(new Error("broken")), signal);
  const next = queue.run(() => Promise.resolve("next"), signal);
  await expect(failing).rejects.toThrow("broken");
  await expect(next).resolves.toBe("next");
});
