import { describe, expect, it, vi } from "vitest";

import type { Job, Queue, Worker } from "../src/client/contract.ts";
import { lone } from "../src/dashboard/chart.tsx";
import { heatChart } from "../src/dashboard/heat.ts";
import { Pulse } from "../src/dashboard/pulse.ts";
import { sweepOf } from "../src/dashboard/operators.ts";
import { stagesOf } from "../src/dashboard/timeline.tsx";
import { holdersOf, troublesOf } from "../src/dashboard/trouble.ts";
import { readView, tabOf, whereOf, writeView } from "../src/dashboard/view.ts";
import { bytes } from "../src/ui/format.ts";

const JOB: Job = {
  id: "j1",
  kind: "search",
  state: "succeeded",
  lane: "interactive",
  collection: "things",
  tenant: "default",
  created_at: "2026-01-01T00:00:00.000Z",
  started_at: "2026-01-01T00:00:00.010Z",
  finished_at: "2026-01-01T00:00:00.050Z",
  attempts: 1,
  worker: "w1",
  text: "cat",
  session: null,
  trace: null,
  timings: { queue_ms: 10, encode_ms: 20, search_ms: 5, total_ms: 50 },
  result: null,
  error: null,
  history: [],
  redacted: false,
  model_name: "default",
};
const START = Date.parse(JOB.created_at);

describe("the address", () => {
  it("reproduces what is looked at", () => {
    const address = "?tab=jobs&span=24h&state=failed&q=red+cat&worker=w1&tenant=studio&before=5-a&job=j1";
    const view = readView(address);
    expect(readView(writeView(view))).toEqual(view);
    expect(view).toMatchObject({ tab: "jobs", state: "failed", q: "red cat", worker: "w1", trail: ["5-a"], job: "j1" });
  });

  it("ignores what it does not know", () => {
    expect(readView("?tab=cellar&state=lost&span=1y")).toMatchObject({ tab: "overview", state: "", span: "1h" });
  });

  it("keeps the tenant and the span from page to page, and nothing else", () => {
    const next = tabOf(readView("?tab=jobs&q=cat&tenant=studio&span=7d&job=j1"), "workers");
    expect(next).toMatchObject({ tab: "workers", q: "", tenant: "studio", span: "7d", job: null, whose: "" });
  });

  it("asks for dead letters whatever the state says, and sends only what is set", () => {
    const where = whereOf(readView("?tab=dead&state=failed&error=store-away"));
    expect(sweepOf(where)).toEqual({ state: "dead", error: "store-away" });
  });
});

describe("a job's timeline", () => {
  it("adds up to the time from creation to end", () => {
    const stages = stagesOf(JOB, START);
    expect(stages.map(({ name, ms }) => [name, ms])).toEqual([
      ["waited", 10],
      ["encode", 20],
      ["search", 5],
      ["the rest", 15],
    ]);
  });

  it("grows while a job waits or runs", () => {
    const waiting: Job = { ...JOB, state: "queued", started_at: null, finished_at: null, timings: null };
    expect(stagesOf(waiting, START + 700)).toEqual([{ name: "waits", ms: 700, tone: "wait" }]);
    const running: Job = { ...waiting, state: "running", started_at: JOB.started_at };
    expect(stagesOf(running, START + 700).at(-1)).toEqual({ name: "runs", ms: 690, tone: "now" });
  });
});

describe("trouble", () => {
  const queue: Queue = { name: "bulk", depth: 0, running: 0, oldest_age_s: null, paused: false, max_depth: 100, model_name: "default" };
  const worker = { host: "h", state: "running", last_seen_at: JOB.created_at, succeeded: 5, failed: 0, running: 0, models: [{ name: "default" }] } as Worker;

  it("is not told when there is none", () => {
    expect(troublesOf([worker], [queue], START)).toEqual([]);
  });

  it.each([
    ["no worker", [], [queue], "No worker is running"],
    ["a paused queue", [worker], [{ ...queue, paused: true, depth: 2 }], "bulk is paused, and 2 wait"],
    ["an old job", [worker], [{ ...queue, depth: 1, oldest_age_s: 90 }], "has waited for 1 min"],
    ["a full queue", [worker], [{ ...queue, depth: 90, oldest_age_s: 1 }], "nearly full"],
    ["a model that nobody holds", [worker], [{ ...queue, name: "bulk@photo", model_name: "photo", depth: 3 }], "No worker holds the model photo, and 3 jobs wait"],
    ["a worker of an older release", [{ ...worker, models: [], state: "draining" }], [queue], "drains"],
    ["a draining worker", [{ ...worker, state: "draining" }], [queue], "drains"],
    ["failures", [{ ...worker, failed: 20 }], [queue], "fails one job in"],
  ])("is told of %s", (_, workers, queues, said) => {
    expect(troublesOf(workers, queues, START).join()).toContain(said);
  });

  it("is told of a silent worker", () => {
    expect(troublesOf([worker], [queue], START + 60_000).join()).toContain("last heard");
  });

  it("knows how many workers take jobs of each model", () => {
    const photo = { ...queue, name: "bulk@photo", model_name: "photo" };
    const both = { ...worker, models: [{ name: "default" }, { name: "photo" }] } as Worker;
    const before = { ...worker, models: [] } as Worker;
    expect(holdersOf([worker, both, before, { ...both, state: "draining" }], [queue, photo])).toEqual([["default", 3], ["photo", 1]]);
    expect(holdersOf([], [queue, photo])).toEqual([["default", 0], ["photo", 0]]);
  });
});

describe("a pulse", () => {
  it("asks to be told, and passes on what it hears", () => {
    const sockets: { sent: string[]; onmessage?: (event: { data: string }) => void; onopen?: () => void }[] = [];
    class FakeSocket {
      readyState = 1;
      sent: string[] = [];
      constructor() {
        sockets.push(this);
      }
      send(text: string): void {
        this.sent.push(text);
      }
      close(): void {
        this.readyState = 3;
      }
    }
    vi.stubGlobal("WebSocket", FakeSocket);
    const pulse = new Pulse("ws://x/v1/ws", () => null);
    const beat = vi.fn();
    pulse.onBeat(beat);
    pulse.start();
    const [socket] = sockets;
    socket?.onopen?.();
    socket?.onmessage?.({ data: JSON.stringify({ op: "welcome", session: "s", seq: "1", recovered: false }) });
    expect(socket?.sent.map((text) => JSON.parse(text) as unknown)).toEqual([{ op: "follow" }]);
    socket?.onmessage?.({ data: '{"op":"pulse"}' });
    expect(beat).toHaveBeenCalledOnce();
    pulse.stop();
    expect(pulse.state).toBe("closed");
    vi.unstubAllGlobals();
  });
});

it("tells sizes in the unit that fits", () => {
  expect([0, 900, 1536, 5 * 2 ** 20, 3 * 2 ** 30].map(bytes)).toEqual(["0 B", "900 B", "1.5 KiB", "5.0 MiB", "3.0 GiB"]);
});

it("a value that stands alone is a point", () => {
  expect(lone([null, 3, null, 1, 2, null, undefined, 4])).toEqual([1, 7]);
  expect(lone([5])).toEqual([0]);
  expect(lone([])).toEqual([]);
});

describe("the map of waits", () => {
  const theme = { ink: "", soft: "", line: "", accent: "", bad: "", warn: "", good: "" };

  it.each([0, 2_500, 12_000, 3_600_000])("writes no time that it does not reach, when the oldest waited %d ms", (oldestMs) => {
    const heat = { current: { boundsMs: [1, 4_000], stepS: 60, waits: [[1, 0]], oldestMs } };
    const { axes = [], scales = {} } = heatChart(heat)(theme);
    const range = scales.y?.range as () => [number, number];
    const splits = axes[1]?.splits as unknown as (plot: null, axis: number, least: number, most: number) => number[];
    const [least, most] = range();
    const written = splits(null, 1, least, most);
    expect(written).toContain(1_000);
    expect(written.filter((ms) => ms < least || ms > most)).toEqual([]);
    expect(most).toBeGreaterThanOrEqual(oldestMs);
  });
});
