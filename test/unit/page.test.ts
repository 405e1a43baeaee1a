import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBlockMap } from "../../coordinator/http/block-map.ts";
import { createHistory } from "../../coordinator/http/history.ts";
import { shownSpec } from "../../coordinator/http/shown-spec.ts";
import { bytes, duration, number } from "../../coordinator/ui/format.ts";
import { lanesOf } from "../../coordinator/ui/lanes.ts";
import { bounds, zoomed } from "../../coordinator/ui/range.ts";
import { smoothed } from "../../coordinator/ui/smooth.ts";
import { createParser } from "../../coordinator/ui/sse.ts";
import { told } from "../../coordinator/ui/words.ts";
import type { StampedEvent } from "../../shared/bus/event-log.ts";
import { loadJobAndToken, parseJob } from "../../shared/config/load.ts";
import { tokenOfEnvironment } from "../../shared/http/token.ts";
import { scratchFolder, tinyJob } from "../support/plume.ts";

const row = (step: number, loss: number | null) => ({ step, loss, gradNorm: 1, lr: 1, imagesPerSecond: 1, workers: 2 });

describe("the history of a run's steps", () => {
  it("of any length, range and number of points has the lowest, highest and mean of every bucket", () => {
    const losses = fc.array(
      fc.option(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), { nil: null, freq: 9 }),
      { minLength: 1, maxLength: 700 },
    );
    fc.assert(
      fc.property(losses, fc.integer({ min: 2, max: 60 }), fc.nat(700), fc.nat(700), (values, points, a, b) => {
        const history = createHistory();
        for (const [step, loss] of values.entries()) history.add(row(step, loss));
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const { perBucket, steps, series } = history.range(points, from, to);
        const begin = Math.floor(Math.min(from, values.length) / perBucket);
        expect(steps.length).toBeLessThanOrEqual(points + 2);
        for (const [k, low] of series.loss.low.entries()) {
          const index = (begin + k) * perBucket;
          const bucket = values.slice(index, index + perBucket).filter((value) => value !== null);
          const close = (x: number | null, y: number) =>
            expect(Math.abs(x! - y)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(y)));
          if (bucket.length === 0) expect(low).toBeNull();
          else {
            close(low, Math.min(...bucket));
            close(series.loss.high[k]!, Math.max(...bucket));
            expect(series.loss.mean[k]!).toBeGreaterThanOrEqual(
              Math.min(...bucket) - 1e-3 * Math.abs(Math.min(...bucket)) - 1e-6,
            );
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("forgets what lies behind a step that comes again", () => {
    const history = createHistory();
    for (let step = 0; step < 100; step++) history.add(row(step, step));
    history.add(row(40, 7));
    const { steps, series, last } = history.range(1_000);
    expect([steps.length, last, series.loss.mean.at(-1)]).toEqual([41, 40, 7]);
    for (let step = 41; step < 64; step++) history.add(row(step, 7));
    expect(history.range(4).series.loss.high).toEqual([15, 31, 39, 7]);
  });
});

describe("the map of blocks", () => {
  it("shows a run of any length in at most 1,025 columns, evenly, and always the newest", () => {
    const map = createBlockMap();
    for (let step = 0; step <= 5_001; step++) map.add(step, [{ lo: 0, hi: 4, worker: `worker-${step % 3}` }]);
    const { stride, columns, workers } = map.view();
    expect(stride).toBe(8);
    expect(columns.length).toBe(Math.floor(5_001 / 8) + 2);
    expect(columns.slice(0, -1).map(([step]) => step)).toEqual(
      Array.from({ length: columns.length - 1 }, (_, i) => 8 * i),
    );
    expect(columns.at(-1)).toEqual([5_001, [0, 4, workers.indexOf("worker-0")]]);
  });
});

describe("server-sent events", () => {
  it("are the same in whatever pieces they come", () => {
    const text =
      'retry: 1000\n: a comment\n\nid: 1-1\nevent: kept\ndata: {"a":1}\n\nevent: status\r\ndata: x\r\ndata: y\r\n\r\ndata\n\n';
    const whole = createParser()(text);
    expect(whole).toEqual([
      { id: "1-1", event: "kept", data: '{"a":1}' },
      { id: null, event: "status", data: "x\ny" },
      { id: null, event: "message", data: "" },
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length)), (cuts) => {
        const parse = createParser();
        const at = [0, ...cuts.sort((a, b) => a - b), text.length];
        expect(at.slice(1).flatMap((end, i) => parse(text.slice(at[i]!, end)))).toEqual(whole);
      }),
    );
  });
});

describe("the lanes of workers", () => {
  const at = (id: string, atMs: number, event: StampedEvent["event"]): StampedEvent => ({ id, atMs, event });
  const change = (workerId: string, what: "joined" | "lost" | "suspect" | "well" | "left" | "refused", reason = "") =>
    ({ kind: "worker", workerId, change: what, reason }) as const;

  it("show joins, suspicion, recovery and loss, each with its reason", () => {
    const { workers } = lanesOf([
      at("1-1", 10, change("w", "joined")),
      at("1-2", 20, change("w", "suspect", "silent")),
      at("1-3", 25, change("w", "well")),
      at("1-4", 30, change("w", "lost", "its stream broke")),
      at("1-5", 40, change("w", "joined")),
      at("1-6", 41, change("x", "refused", "another version")),
    ]);
    expect(workers.get("w")!.map(({ fromMs, toMs, state, end }) => [fromMs, toMs, state, end])).toEqual([
      [10, 20, "in", null],
      [20, 25, "suspect", null],
      [25, 30, "in", "lost"],
      [40, null, "in", null],
    ]);
    expect(workers.get("w")![2]!.reason).toBe("its stream broke");
    expect(workers.get("x")).toEqual([]);
  });

  it("end with a coordinator that was killed, when it was killed", () => {
    const recovery = {
      kind: "coordinator",
      subject: "coordinator",
      reason: "killed",
      step: 5,
      seconds: 3,
      atMs: 50,
    } as const;
    const { workers, phases } = lanesOf([
      at("1-1", 10, change("w", "joined")),
      at("1-2", 11, { kind: "phase", phase: "Training", reason: "", step: 0 }),
      at("2-1", 80, change("w", "joined")),
      at("2-2", 90, { kind: "recovered", recovery }),
    ]);
    expect(workers.get("w")!.map(({ fromMs, toMs, end }) => [fromMs, toMs, end])).toEqual([
      [10, 50, "restart"],
      [80, null, null],
    ]);
    expect(phases).toMatchObject([{ phase: "Training", fromMs: 11, toMs: 80 }]);
  });

  it("begin anew with a run that goes on after its end, not with what comes after the end", () => {
    const over = [
      at("1-1", 10, change("w", "joined")),
      at("1-2", 20, { kind: "end", outcome: "stopped", reason: "" }),
      at("1-3", 21, change("w", "lost")),
    ] as const;
    expect(lanesOf(over)).toMatchObject({ fromMs: 10 });
    expect(lanesOf(over).workers.get("w")).toMatchObject([{ toMs: 20, end: "over" }]);
    expect(lanesOf([...over, at("2-1", 1_000, change("w", "joined"))]).fromMs).toBe(1_000);
  });
});

describe("what the page shows", () => {
  it("is smoothed without a pull of the start, by steps and not by points", () => {
    expect(smoothed([0, 1, 2], [5, 5, 5], 0.9).map((x) => x!.toFixed(6))).toEqual(["5.000000", "5.000000", "5.000000"]);
    expect(smoothed([0, 1, 2], [1, null, 3], 0)).toEqual([1, null, 3]);
    const dense = smoothed(
      Array.from({ length: 65 }, (_, i) => i),
      Array.from({ length: 65 }, (_, i) => (i < 32 ? 0 : 1)),
      0.9,
    ).at(-1)!;
    const sparse = smoothed([0, 16, 32, 48, 64], [0, 0, 1, 1, 1], 0.9).at(-1)!;
    expect(Math.abs(dense - sparse)).toBeLessThan(0.03);
  });

  it("stays within the run however it is zoomed", () => {
    expect(bounds({ kind: "all" }, 0, 500)).toEqual([0, 500]);
    expect(bounds({ kind: "last", steps: 100 }, 0, 500)).toEqual([401, 500]);
    expect(zoomed([0, 500], 250, 0.5, 0, 500)).toEqual({ kind: "fixed", from: 125, to: 375 });
    expect(zoomed([125, 375], 250, 4, 0, 500)).toEqual({ kind: "all" });
    fc.assert(
      fc.property(fc.nat(1e6), fc.nat(1e6), fc.double({ min: 0.1, max: 10, noNaN: true }), (a, b, factor) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b) + 1];
        const range = zoomed([from, to], (from + to) / 2, factor, 0, 1e6);
        if (range.kind === "fixed") expect(range.from >= 0 && range.to <= 1e6 && range.from < range.to).toBe(true);
      }),
    );
  });

  it("is said in few digits and whole words", () => {
    expect([0.12345678, 12.3456, 1234.5, 123456, 0.00001234, Number.NaN, null].map(number)).toEqual([
      "0.1235",
      "12.35",
      "1235",
      "123,456",
      "1.23e-5",
      "–",
      "–",
    ]);
    expect([0.25, 5.25, 59, 61, 3_700, 90_000].map(duration)).toEqual([
      "250 ms",
      "5.3 s",
      "59 s",
      "1 min 1 s",
      "1 h 1 min",
      "1 d 1 h",
    ]);
    expect([900_000, 1_100_000, 2.5e9].map(bytes)).toEqual(["900 kB", "1.1 MB", "2.50 GB"]);
    const event = { kind: "worker", workerId: "worker-1", change: "lost", reason: "its stream broke" } as const;
    expect(told({ id: "1-1", atMs: 0, event })).toEqual({
      kind: "workers",
      title: "worker-1 lost",
      words: "its stream broke",
      tone: "bad",
    });
  });
});

describe("the token of a run", () => {
  const TOKEN = "0123456789abcdef";

  it("is taken out of the job as soon as it is read", () => {
    using scratch = scratchFolder();
    const file = tinyJob(scratch.path, `  monitoring: { token: ${TOKEN}, port: 7 }\n`);
    const { job, token } = loadJobAndToken(file, { set: [] });
    expect(token).toBe(TOKEN);
    expect(JSON.stringify(job)).not.toContain(TOKEN);
    expect(job.spec.monitoring).toEqual({ host: "127.0.0.1", port: 7, workerPort: 0 });
    expect(loadJobAndToken(tinyJob(scratch.path), { set: [] }).token).toBeNull();
  });

  it("that is too short is refused without being shown", () => {
    const set = ["monitoring.token=short-secret"];
    expect(() => parseJob("metadata: { name: t }\nspec: { data: { source: 'shapes:' } }", { set })).toThrow(
      /monitoring\.token \(not shown\): /,
    );
    process.env.PLUME_TOKEN = "short-secret";
    expect(tokenOfEnvironment).toThrow("PLUME_TOKEN has 12 characters");
    expect(process.env.PLUME_TOKEN).toBeUndefined();
    process.env.PLUME_TOKEN = TOKEN;
    expect(tokenOfEnvironment()).toBe(TOKEN);
    expect(tokenOfEnvironment()).toBeNull();
  });

  it("is not the only secret: what a URL has for its server alone is not shown either", () => {
    const { spec } = parseJob("metadata: { name: t }\nspec: { data: { source: 'shapes:' } }", {
      set: ["nats.servers=['nats://me:hunter2@nats:4222']", "data.source=wds:https://data.example/x.tar?token=abc&y=1"],
    });
    const shown = JSON.stringify(shownSpec(spec));
    for (const secret of ["hunter2", "abc"]) expect(shown).not.toContain(secret);
    expect(shown).toContain("nats://...@nats:4222");
  });
});
