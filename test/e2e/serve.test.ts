// plume serve as programs meet it: the bits of plume sample, refusals by field, turns, and ends.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDrawingProcess } from "../../coordinator/http/drawing-process.ts";
import type { ImagesAnswer, ModelAnswer } from "../../shared/http/images-api.ts";
import { plume, type Running, scratchFolder, tinyJob, train, until } from "../support/plume.ts";
import { childrenOf, isDead } from "../support/processes.ts";
import { startServing } from "../support/serving.ts";

const scratch = scratchFolder();
const run = scratch.file("run");
let server: Awaited<ReturnType<typeof startServing>>;

beforeAll(async () => {
  await train(tinyJob(scratch.path), run, "--set", "sampling.count=0", "--set", "checkpoint.everySteps=4");
  server = await startServing([run, "--workers", "2"]);
});
afterAll(async () => {
  await end(server);
  scratch[Symbol.dispose]();
});

const end = async ({ child, finished }: Running) => {
  child.kill("SIGTERM");
  return finished;
};
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const post = (body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  fetch(`${server.url}/v1/images`, {
    method: "POST",
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body),
    signal: signal ?? null,
  });
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
const ASKED = { class: "ring", count: 12, seed: 3, sampler: "ancestral", steps: 5, guidance: 2 };
const LONG = { count: 256, steps: 1000 };

describe("plume serve", () => {
  it("draws the very bytes of plume sample, as a picture and as an array, one after another", async () => {
    const words = Object.entries(ASKED).flatMap(([name, value]) => [`--${name}`, String(value)]);
    for (const [kind, accept] of [
      ["png", "*/*"],
      ["npy", "application/x-npy"],
    ] as const) {
      const file = scratch.file(`sampled.${kind}`);
      const { code, stderr } = await plume("sample", run, ...words, "--workers", "1", "-o", file);
      expect(code, stderr).toBe(0);
      const answer = await post(ASKED, { accept, "content-type": "application/x-www-form-urlencoded" });
      expect(answer.status).toBe(200);
      expect(sha256(await bytesOf(answer))).toBe(sha256(readFileSync(file)));
    }
  });

  it("says where each image is, and gives them, their grid and their array", async () => {
    const answer = (await (await post({ count: 3, seed: 1 }, { accept: "application/json" })).json()) as ImagesAnswer;
    expect(answer).toMatchObject({
      step: 8,
      weights: "ema",
      seed: 1,
      sampler: "ddim",
      steps: 4,
      guidance: 1.5,
      count: 3,
    });
    expect(answer.images.map(({ index, called }) => [index, called])).toEqual([
      [0, "disc"],
      [1, "ring"],
      [2, "square"],
    ]);
    for (const url of [answer.grid, ...answer.images.map((each) => each.url)]) {
      const picture = await fetch(`${server.url}/${url}`);
      expect(picture.headers.get("content-type")).toBe("image/png");
      expect((await bytesOf(picture)).subarray(1, 4).toString()).toBe("PNG");
    }
    expect((await bytesOf(await fetch(`${server.url}/${answer.array}`))).subarray(1, 6).toString()).toBe("NUMPY");
    expect((await fetch(`${server.url}/v1/images/${answer.id}/3.png`)).status).toBe(404);
    expect((await fetch(`${server.url}/v1/images/../../etc/passwd`)).status).toBe(404);
  });

  it("tells what the model reads, and how far a drawing is", async () => {
    const model = (await (await fetch(`${server.url}/v1/model`)).json()) as ModelAnswer;
    expect(model).toMatchObject({
      name: "tiny",
      step: 8,
      captions: null,
      guided: true,
      defaults: { count: 1, steps: 4 },
    });
    expect(model.classes).toHaveLength(10);
    const told = await (await post({ count: 16, steps: 50 }, { accept: "text/event-stream" })).text();
    expect(told).toMatch(/^event: queued\ndata: {"ahead":0}\n\nevent: progress\n/);
    expect(told).toMatch(/event: progress\ndata: {"images":[\d.]+,"count":16}/);
    expect(told).toMatch(/event: done\ndata: {"id":".*"count":16/);
  });

  it.each([
    ["no JSON", "{", 400, undefined, "the request is no JSON"],
    ["a list", [], 400, undefined, "no JSON object"],
    ["a mistyped field", { sede: 1 }, 400, undefined, "did you mean seed?"],
    ["a word for a number", { steps: "ten" }, 400, "steps", 'steps "ten" is no number'],
    ["no steps", { steps: 0 }, 400, "steps", "steps 0 is no whole number of at least 1"],
    ["more steps than the model has", { steps: 2000 }, 400, "steps", "above the model's 1000 timesteps"],
    ["a sampler of other models", { sampler: "generator" }, 400, "sampler", "use one of ddim, ancestral"],
    ["a class that there is none of", { class: "rign" }, 404, "class", "its classes are 0 disc, 1 ring"],
    ["a prompt for a model that reads none", { prompt: "red square" }, 400, "prompt", "reads no captions"],
    ["more than one request may", { count: 1000 }, 400, "count", "count 1000 is above the 256 of one request"],
    ["a level that it has not", { lowResNoise: 1 }, 400, "lowResNoise", "is no upsampler"],
  ])("refuses %s by its field", async (_, body, status, field, says) => {
    const answer = await post(body);
    const { error } = (await answer.json()) as { error: { message: string; remedy: string; field?: string } };
    expect([answer.status, error.field]).toEqual([status, field]);
    expect(`${error.message} ${error.remedy}`).toContain(says);
    expect(error.message).not.toContain("--");
  });

  it.each([
    ["another site's page", { origin: "http://evil.example" }, {}, 403],
    ["a page by its own word", { "sec-fetch-site": "cross-site" }, {}, 403],
    ["somebody who takes nothing that there is", { accept: "video/mp4" }, {}, 400],
    ["somebody who says much", {}, { prompt: "x".repeat(20_000) }, 413],
  ])("refuses %s", async (_, headers, body, status) => {
    expect((await post(body, headers as Record<string, string>)).status).toBe(status);
  });

  it("answers under no other host's name, which may have been made to point here", async () => {
    const { port } = new URL(server.url);
    const [answer] = await once(
      request({ port, path: "/v1/model", headers: { host: "evil.example" } }).end(),
      "response",
    );
    expect((answer as IncomingMessage).statusCode).toBe(421);
  });

  it("makes room when who asked goes away, tells the others their place, and refuses when too many wait", async () => {
    const gone = new AbortController();
    const first = await post(LONG, { accept: "text/event-stream" }, gone.signal);
    const wait = new AbortController();
    const waiting = Array.from({ length: 16 }, () => post(LONG, { accept: "text/event-stream" }, wait.signal));
    const told = await Promise.all(waiting);
    const piece = await told.at(-1)!.body!.getReader().read();
    expect(Buffer.from(piece.value!).toString()).toMatch(/^event: queued\ndata: {"ahead":\d+}/);
    const refused = await post({});
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await refused.text()).toContain("16 drawings wait already");
    wait.abort();
    gone.abort();
    await first.text().catch(() => {});
    expect((await post({ count: 1 })).status).toBe(200);
  });

  it("begins with new processes when one was killed", async () => {
    process.kill(childrenOf(server.child.pid!)[0]!.pid, "SIGKILL");
    const answers = [await post({ count: 1 }), await post({ count: 1 })];
    expect(answers.at(-1)!.status).toBe(200);
  });

  it("draws from a newer checkpoint of the run as soon as there is one", async () => {
    const growing = scratch.file("growing");
    const newest = "checkpoints/step-000000008";
    cpSync(run, growing, { recursive: true, filter: (path) => !path.includes(newest) });
    const other = await startServing([growing, "--workers", "1"]);
    const stepOf = async () => ((await (await fetch(`${other.url}/v1/model`)).json()) as ModelAnswer).step;
    expect(await stepOf()).toBe(4);
    cpSync(`${run}/${newest}`, `${growing}/${newest}`, { recursive: true });
    expect(await stepOf()).toBe(8);
    const drawn = await fetch(`${other.url}/v1/images`, { method: "POST", body: JSON.stringify(ASKED) });
    expect(sha256(await bytesOf(drawn))).toBe(sha256(readFileSync(scratch.file("sampled.png"))));
    expect((await end(other)).code).toBe(0);
  });

  it("finishes what it draws when it is asked to end, tells those that wait, and leaves no process", async () => {
    const other = await startServing([run, "--workers", "1"]);
    const pids = childrenOf(other.child.pid!).map(({ pid }) => pid);
    const how = { method: "POST", headers: { accept: "text/event-stream" } };
    const ask = () => fetch(`${other.url}/v1/images`, { ...how, body: JSON.stringify({ count: 8, steps: 400 }) });
    const [drawn, waits] = [await ask(), await ask()]; // each has heard of its place
    const { code, stderr } = await end(other);
    expect([code, stderr]).toEqual([0, expect.stringContaining("the drawing in hand is finished")]);
    expect(await drawn.text()).toContain("event: done");
    expect(await waits.text()).toMatch(/{"ahead":1}[\s\S]*event: error\ndata: {"message":"the server is ending"/);
    await until("the end of the processes that draw", () => pids.every(isDead));
  });

  it("needs a token elsewhere than on loopback, and prints one", async () => {
    const other = await startServing([run, "--host", "0.0.0.0", "--workers", "1"]);
    expect(new URL(other.link).hash).toMatch(/^#token=[\w-]{43}$/);
    expect((await fetch(`${other.url}/v1/model`)).status).toBe(401);
    const bearer = { authorization: `Bearer ${new URL(other.link).hash.slice("#token=".length)}` };
    expect((await fetch(`${other.url}/v1/model`, { headers: bearer })).status).toBe(200);
    await end(other);
  });

  it("draws for the page of a run in a process that ends when nobody asks", async () => {
    const drawing = createDrawingProcess(run, 200);
    const pids = await drawing.use(async ({ url, token }) => {
      const headers = { authorization: `Bearer ${token}` };
      expect((await fetch(`${url}/v1/model`, { headers })).status).toBe(200);
      expect((await fetch(`${url}/v1/model`)).status).toBe(401);
      const serving = childrenOf(process.pid).filter(({ args }) => args.includes("serve"));
      return serving.map(({ pid }) => pid).filter((pid) => pid !== server.child.pid);
    });
    expect(pids).toHaveLength(1);
    await until("its end", () => pids.every(isDead));
  });

  it("says why it cannot: a run has no checkpoint yet", async () => {
    const young = scratch.file("young");
    cpSync(run, young, { recursive: true, filter: (path) => !path.includes("checkpoints/") });
    mkdirSync(`${young}/checkpoints`, { recursive: true });
    const drawing = createDrawingProcess(young, 200);
    await expect(drawing.use(async () => {})).rejects.toMatchObject({
      code: "NOT_FOUND",
      remedy: expect.stringContaining("by the button Checkpoint"),
    });
  });

  it.each([
    [[run, "--port", "70000"], "--port 70000 is above 65535"],
    [[run, "--base", run], "is no upsampler"],
    [[run, "--host", "203.0.113.7"], "203.0.113.7: is no address of this machine"],
  ])("refuses %j before it listens for long", async (args, says) => {
    expect(await plume("serve", ...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(says) });
  });
});
