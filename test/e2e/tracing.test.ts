import { join } from "node:path";
import { expect, it } from "vitest";
import { readSummary } from "../../shared/summary.ts";
import { type ReceivedSpan, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { linesOf, scratchFolder, startPlume, tinyJob } from "../support/plume.ts";
import { freePort } from "../support/processes.ts";

const attribute = (span: ReceivedSpan, name: string) => span.attributes[`plume.${name}`];

it("a step is one trace over the coordinator and its workers; an endpoint that is dead changes nothing", async () => {
  using scratch = scratchFolder();
  const job = tinyJob(scratch.path);
  await using receiver = await startOtlpReceiver();
  const train = async (name: string, endpoint: string) => {
    const args = [
      "train",
      "-f",
      job,
      "--out",
      scratch.file(name),
      "--set",
      "checkpoint.everySteps=4",
      "--set",
      "workers.min=2",
    ];
    const { code, stderr } = await startPlume(args, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } }).finished;
    expect(code, stderr).toBe(0);
    return readSummary(join(scratch.file(name), "summary.json"));
  };
  const traced = await train("traced", receiver.endpoint);
  const dead = await train("dead", `http://127.0.0.1:${await freePort()}`);

  // What is told of step 3, the last one before the checkpoint of version 4.
  const { spans } = receiver;
  const root = spans.find((span) => span.name === "step" && attribute(span, "step") === 3)!;
  expect(root).toMatchObject({ service: "plume-coordinator", parentSpanId: "" });
  expect(attribute(root, "job")).toBe("tiny");
  const trace = spans.filter(({ traceId }) => traceId === root.traceId);
  const childrenOf = (parent: ReceivedSpan) => trace.filter(({ parentSpanId }) => parentSpanId === parent.spanId);
  expect(
    childrenOf(root)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(["apply", "checkpoint", "gather", "publish"]);
  const gather = childrenOf(root).find(({ name }) => name === "gather")!;
  const leases = childrenOf(gather);
  expect(new Set(leases.map((lease) => `${lease.service} ${lease.name}`))).toEqual(new Set(["plume-worker lease"]));
  // One that was given up, because a copy of it was quicker, ends where it was.
  const done = leases.filter(({ isError }) => !isError);
  expect(done.length).toBeGreaterThan(0);
  for (const lease of done) {
    expect(attribute(lease, "step")).toBe(3);
    expect(childrenOf(lease).map(({ name }) => name)).toEqual(
      expect.arrayContaining(["pull", "data", "compute", "push"]),
    );
    for (const part of childrenOf(lease))
      expect(part.start >= lease.start && part.end <= lease.end, part.name).toBe(true);
  }
  // Every span of the trace hangs together, and each step has one of its own.
  const ids = new Set(trace.map(({ spanId }) => spanId));
  for (const span of trace) expect(span === root || ids.has(span.parentSpanId), span.name).toBe(true);
  const steps = spans.filter(({ name }) => name === "step");
  expect(new Set(steps.map((span) => attribute(span, "step")))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]));
  expect(new Set(steps.map(({ traceId }) => traceId)).size).toBe(steps.length);

  // A worker that fell silent for a moment on a busy machine gets nothing in a step; in all of them none does.
  const workersOf = ({ traceId }: ReceivedSpan) =>
    new Set(
      spans
        .filter((span) => span.name === "lease" && span.traceId === traceId)
        .map((span) => attribute(span, "worker")),
    );
  expect(steps.map((step) => workersOf(step).size)).toContain(2);

  expect(dead.weightsSha256).toBe(traced.weightsSha256);
  const warned = linesOf(scratch.file("dead", "logs", "coordinator.log")).filter((line) =>
    line.includes("spans cannot be sent"),
  );
  expect(warned).toHaveLength(1);
});
