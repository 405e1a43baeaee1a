import { connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { createParser, type Message } from "../../coordinator/ui/sse.ts";
import { linesOf, scratchFolder, until } from "../support/plume.ts";
import { type OpenedSite, openSite, stepEvent } from "../support/site.ts";

const scratches: Disposable[] = [];
const sites: OpenedSite[] = [];
afterEach(async () => {
  for (const site of sites.splice(0)) await site.close();
  for (const scratch of scratches.splice(0)) scratch[Symbol.dispose]();
});

async function opened() {
  const scratch = scratchFolder();
  scratches.push(scratch);
  const site = await openSite({ folder: scratch.path });
  sites.push(site);
  return { site, log: () => linesOf(scratch.file("logs/coordinator.log")).join("\n") };
}

/** Listens as the page does, until it is let go. */
function watch(url: string, headers: Record<string, string> = {}) {
  const stop = new AbortController();
  const messages: Message[] = [];
  const closed = (async () => {
    const response = await fetch(`${url}/api/events`, { headers, signal: stop.signal });
    const parse = createParser();
    const decoder = new TextDecoder();
    for await (const piece of response.body!) messages.push(...parse(decoder.decode(piece, { stream: true })));
  })().catch(() => {});
  return {
    messages,
    ids: () => messages.flatMap(({ id }) => (id === null ? [] : [id])),
    named: (name: string) => messages.filter(({ event }) => event === name).map(({ data }) => JSON.parse(data)),
    closed,
    leave: () => stop.abort(),
  };
}

const warn = (site: OpenedSite, n: number) => site.bus.publish({ kind: "warning", message: `warning ${n}` });
const upTo = (n: number, from = 1) => Array.from({ length: n - from + 1 }, (_, i) => `1-${from + i}`);

describe("whoever watches a run", () => {
  it("gets what is kept behind the event that it names, then everything as it happens, each once and in order", async () => {
    const { site } = await opened();
    for (let n = 1; n <= 5; n++) warn(site, n);
    const [late, fresh, lost] = [
      watch(site.url, { "last-event-id": "1-3" }),
      watch(site.url),
      watch(site.url, { "last-event-id": "9-9" }),
    ];
    await until("the replay", () => [late, fresh, lost].every(({ named }) => named("status").length > 0));
    for (let n = 6; n <= 8; n++) warn(site, n);
    await until("the news", () => [late, fresh, lost].every(({ ids }) => ids().at(-1) === "1-8"));
    expect(late.ids()).toEqual(upTo(8, 4));
    expect(fresh.ids()).toEqual(upTo(8));
    expect(lost.ids()).toEqual(upTo(8));
    expect(late.messages[0]).toMatchObject({
      event: "hello",
      data: JSON.stringify({ incarnation: 1, version: "0.1.0" }),
    });
    for (const { leave } of [late, fresh, lost]) leave();
  });

  it("gets steps in bundles and the newest status, without ids", async () => {
    const { site } = await opened();
    const watcher = watch(site.url);
    await until("it is there", () => watcher.named("status").length > 0);
    for (let step = 0; step < 50; step++) site.bus.publish(stepEvent(step));
    await until("the steps", () => watcher.named("steps").flat().length >= 50);
    expect(
      watcher
        .named("steps")
        .flat()
        .map(({ step }) => step),
    ).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(watcher.named("steps").length).toBeLessThan(10);
    expect(watcher.ids()).toEqual([]);
    watcher.leave();
  });

  it("gets all of 10,000 events with four others, however fast they come", async () => {
    const { site } = await opened();
    const watchers = [1, 2, 3, 4, 5].map(() => watch(site.url));
    await until("they are there", () => watchers.every(({ named }) => named("status").length > 0));
    for (let n = 1; n <= 10_000; n++) {
      warn(site, n);
      if (n % 100 === 0) await turn();
    }
    await until("they have all", () => watchers.every(({ ids }) => ids().length >= 10_000));
    for (const { ids, leave } of watchers) {
      expect(ids()).toEqual(upTo(10_000));
      leave();
    }
  });

  it("and does not read is cut, with a bound on what waits for it, while the others miss nothing", async () => {
    const { site, log } = await opened();
    const { hostname, port } = new URL(site.url);
    const deaf = await new Promise<Socket>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => {
        socket.pause();
        socket.write(`GET /api/events HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
        resolve(socket);
      });
      socket.on("error", reject);
    });
    const good = watch(site.url);
    await until("it is there", () => good.named("status").length > 0);
    let count = 0;
    const long = "x".repeat(1_000);
    while (!log().includes("too slow")) {
      for (let i = 0; i < 500; i++) site.bus.publish({ kind: "warning", message: `${++count} ${long}` });
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(count, "the bound is 1 MiB beside what the kernel holds").toBeLessThan(60_000);
    }
    await until("the other has all", () => good.ids().length === count);
    deaf.destroy();
    good.leave();
  });

  it("is refused when 64 watch already, and let in when one has left", async () => {
    const { site } = await opened();
    const watchers = Array.from({ length: 64 }, () => watch(site.url));
    await until("they are there", () => watchers.every(({ messages }) => messages.length > 0));
    const answer = await fetch(`${site.url}/api/events`);
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining("64 watch this run already")]);
    watchers[0]!.leave();
    const status = async () => {
      const stop = new AbortController();
      const { status: code } = await fetch(`${site.url}/api/events`, { signal: stop.signal });
      stop.abort();
      return code;
    };
    await expect.poll(status).toBe(200);
    for (const { leave } of watchers) leave();
  });

  it("hears the end, may fetch the last of it, and frees the run at once by leaving", async () => {
    const { site } = await opened();
    const watcher = watch(site.url);
    await until("it is there", () => watcher.named("status").length > 0);
    site.bus.publish({ kind: "end", outcome: "complete", reason: "8 of 8 steps" });
    const closing = sites.pop()!.close();
    await until("the end", () => watcher.named("kept").some(({ event }) => event.kind === "end"));
    expect((await fetch(`${site.url}/api/run`)).status).toBe(200);
    watcher.leave();
    await closing;
    await expect(fetch(`${site.url}/api/run`)).rejects.toThrow();
  });
});
