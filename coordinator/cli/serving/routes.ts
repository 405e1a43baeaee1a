// GET /v1/model, POST /v1/images, and what was drawn.
//
// POST /v1/images answers as it is asked to (accept): image/png, the grid, where nothing else is said, so that curl -o writes a
// picture; application/x-npy; application/json, which says where each image is; text/event-stream, which tells of the progress first.
// It changes nothing, and so needs no more than to see: every browser says where a POST comes from (access.ts, I2).

import type { IncomingMessage, ServerResponse } from "node:http";
import { finished } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";
import { describeError, PlumeError, quoted } from "../../../shared/errors.ts";
import { readBody } from "../../../shared/http/body.ts";
import { type GuardedRoutes, json, needing, refuse, STATUS } from "../../../shared/http/guard.ts";
import { type ImageEvents, type ImagesAnswer, MOST_BYTES, TOO_LARGE } from "../../../shared/http/images-api.ts";
import { reply } from "../../../shared/http/server.ts";
import type { Pictures, Served } from "./model.ts";
import type { Queue } from "./queue.ts";
import { askedOf, refusalOf } from "./request.ts";
import { imageOf, type Results } from "./results.ts";

export interface ServingParts {
  readonly served: Served;
  readonly queue: Queue;
  readonly results: Results;
  /** Milliseconds. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

const PLACE = "/v1/images/";
const EVENTS = "text/event-stream";
const TYPES = { png: "image/png", npy: "application/x-npy" } as const;

export interface ImageSite {
  readonly routes: GuardedRoutes;
  /** Whoever asked for images has an answer, or does not read it. */
  atRest(): Promise<void>;
}

export function createImageSite(parts: ServingParts): ImageSite {
  const { served, results } = parts;
  const busy = new Set<Promise<void>>();
  const routes = needing("see", {
    "GET /v1/model": async ({ response }) => json(response, 200, await served.about()),
    "POST /v1/images": ({ incoming, response }) => {
      const work = drawFor(parts, incoming, response).finally(() => busy.delete(work));
      busy.add(work);
      return work;
    },
    [`GET ${PLACE}*`]: async ({ url, response }) => {
      const [id = "", name = ""] = url.pathname.slice(PLACE.length).split("/");
      const pictures = results.of(id);
      const kind = name === "images.npy" ? "npy" : "png";
      const isWhole = name === "grid.png" || kind === "npy";
      const body = isWhole ? await results.file(pictures, kind) : await imageOf(pictures, name);
      response.setHeader("cache-control", "private, max-age=3600, immutable");
      reply(response, 200, TYPES[kind], body);
    },
  });
  return {
    routes,
    async atRest() {
      const late = new AbortController();
      const patience = setTimeout(READ_MS, undefined, { signal: late.signal }).catch(() => {});
      await Promise.race([Promise.allSettled(busy), patience]);
      late.abort();
    },
  };
}

/** Somebody who asked has so long to read the answer when the server ends. */
const READ_MS = 2_000;

type Kind = "png" | "npy" | "json" | "events";

/** What of the header comes first is meant. */
function kindOf(accept: string | undefined): Kind {
  const kinds = { "image/png": "png", "image/*": "png", "*/*": "png", [TYPES.npy]: "npy", "application/json": "json" };
  const known: Readonly<Record<string, string>> = { ...kinds, [EVENTS]: "events" };
  for (const part of (accept ?? "*/*").split(",")) {
    const kind = known[part.split(";")[0]!.trim().toLowerCase()];
    if (kind) return kind as Kind;
  }
  throw new PlumeError("INVALID_ARGUMENT", `accept: ${quoted(accept!)} is nothing that images come as`, {
    remedy: `use one of ${Object.keys(known).join(", ")}`,
  });
}

async function drawFor(parts: ServingParts, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const { served, queue } = parts;
  const gone = new AbortController();
  response.on("close", () => gone.abort(new PlumeError("INTERRUPTED", "whoever asked is gone")));
  const say = <Name extends keyof ImageEvents>(name: Name, data: ImageEvents[Name]) => {
    if (!response.headersSent) response.writeHead(200, { "content-type": EVENTS, "x-accel-buffering": "no" });
    response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  response.setHeader("cache-control", "no-store");
  try {
    const kind = kindOf(incoming.headers.accept);
    const body = await readBody(incoming, MOST_BYTES);
    if (body === null) return refuse(response, 413, TOO_LARGE);
    const asked = askedOf(body, served.fixed);
    await served.check(asked); // what is wrong is said at once
    const tell: typeof say = kind === "events" ? say : () => {};
    const began = parts.now();
    const pictures = await queue.run(
      async (signal) => {
        tell("progress", { images: 0, count: asked.count ?? 0 });
        return served.draw(asked, (images, count) => tell("progress", { images, count }), signal);
      },
      gone.signal,
      (ahead) => tell("queued", { ahead }),
    );
    await deliver(parts, pictures, kind, response, (parts.now() - began) / 1000, say);
  } catch (error) {
    if (gone.signal.aborted) return;
    fail(parts, error, response, say);
  }
  await finished(response).catch(() => {}); // whoever asked is gone
}

async function deliver(
  { results }: ServingParts,
  pictures: Pictures,
  kind: Kind,
  response: ServerResponse,
  seconds: number,
  say: (name: "done", data: ImagesAnswer) => void,
): Promise<void> {
  if (kind === "png" || kind === "npy") return reply(response, 200, TYPES[kind], await results.file(pictures, kind));
  const answer = answerOf(pictures, results.keep(pictures), seconds);
  if (kind === "json") return json(response, 200, answer);
  say("done", answer);
  response.end();
}

function answerOf(pictures: Pictures, id: string, seconds: number): ImagesAnswer {
  const { step, weights, how, image, count, called } = pictures;
  const { seed, sampler, steps, guidance } = how;
  const place = `${PLACE.slice(1)}${id}`;
  const single = image.channels === 1 || image.channels === 3;
  return {
    ...{ id, step, weights, seed, sampler, steps, guidance, count, seconds },
    grid: `${place}/grid.png`,
    array: `${place}/images.npy`,
    images: Array.from({ length: single ? count : 0 }, (_, index) => ({
      ...{ index, called: called(index), url: `${place}/${index}.png` },
    })),
  };
}

function fail(
  { queue, onError }: ServingParts,
  error: unknown,
  response: ServerResponse,
  say: (name: "error", data: ImageEvents["error"]) => void,
): void {
  const known = error instanceof PlumeError ? error : new PlumeError("INTERNAL", describeError(error));
  if (STATUS[known.code] === 500) onError(error);
  const { message, ...rest } = refusalOf(known);
  if (response.headersSent) {
    say("error", { message, ...rest });
    return void response.end();
  }
  const isFull = known.code === "RESOURCE_EXHAUSTED";
  if (isFull) response.setHeader("retry-after", queue.retrySeconds);
  refuse(response, isFull ? 429 : STATUS[known.code], { ...rest, reason: message, remedy: rest.remedy ?? undefined });
}
