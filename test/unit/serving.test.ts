// Whose turn it is to be drawn for.

import { describe, expect, it } from "vitest";
import { createQueue } from "../../coordinator/cli/serving/queue.ts";

/** Work that ends when it is told to, or called off. */
function work() {
  let end = (_value: string) => {};
  const begun: AbortSignal[] = [];
  const run = (signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      begun.push(signal);
      end = resolve;
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  return { run, begun, end: (value: string) => end(value) };
}

const never = new AbortController().signal;

function three(most: number) {
  let now = 0;
  const queue = createQueue(most, () => now);
  const works = [work(), work(), work()];
  const leaves = works.map(() => new AbortController());
  const places: number[][] = works.map(() => []);
  const ends = works.map(({ run }, i) => queue.run(run, leaves[i]!.signal, (ahead) => places[i]!.push(ahead)));
  for (const end of ends) end.catch(() => {});
  return { queue, works, leaves, places, ends, pass: (ms: number) => (now += ms) };
}

describe("the queue of a server", () => {
  it("runs one at a time, in order, and tells each its place", async () => {
    const { works, places, ends } = three(5);
    expect(works.map(({ begun }) => begun.length)).toEqual([1, 0, 0]);
    works[0]!.end("a");
    expect(await ends[0]).toBe("a");
    await Promise.resolve();
    works[1]!.end("b");
    expect(await ends[1]).toBe("b");
    await Promise.resolve();
    works[2]!.end("c");
    expect(await ends[2]).toBe("c");
    expect(places).toEqual([[0], [1], [2, 1]]);
  });

  it("lets go of those that leave, waiting or in hand, and goes on with the next", async () => {
    const { works, leaves, ends } = three(5);
    leaves[1]!.abort("gone");
    await expect(ends[1]).rejects.toBe("gone");
    leaves[0]!.abort("gone, too");
    await expect(ends[0]).rejects.toBe("gone, too");
    await new Promise((resolve) => setImmediate(resolve));
    expect(works.map(({ begun }) => begun.length)).toEqual([1, 0, 1]);
    await expect(three(5).queue.run(work().run, AbortSignal.abort("never there"), () => {})).rejects.toBe(
      "never there",
    );
  });

  it("refuses who is one too many, with the time that those before it may take", async () => {
    const { queue, works, ends, pass } = three(2);
    await expect(queue.run(work().run, never, () => {})).rejects.toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      message: "2 drawings wait already",
    });
    pass(30_000);
    works[0]!.end("a");
    await ends[0];
    await new Promise((resolve) => setImmediate(resolve));
    expect(queue.retrySeconds).toBe(60);
  });

  it("at its end tells those that wait, and calls off what takes too long", async () => {
    const { queue, ends } = three(5);
    const closed = queue.close(0);
    await expect(ends[1]).rejects.toMatchObject({ code: "UNAVAILABLE", message: "the server is ending" });
    await expect(ends[0]).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await closed;
    await expect(queue.run(work().run, never, () => {})).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
