// What a run shows: GET /api/run, /api/history, /api/blocks, /api/events, /api/samples and its pictures.

import { createReadStream, existsSync, readdirSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { microBatchesPerStep } from "../../shared/config/schema.ts";
import { PlumeError } from "../../shared/errors.ts";
import { type GuardedRoutes, json, needing, refuse } from "../../shared/http/guard.ts";
import { givesImages } from "../../shared/models/index.ts";
import { needsOthers } from "../../shared/pipeline/held-out.ts";
import { gridImages } from "../../shared/pipeline/tiles.ts";
import { readSummary } from "../../shared/summary.ts";
import { PLUME_VERSION } from "../../shared/version.ts";
import type { RunView } from "../onlooker.ts";
import type { RunAnswer, SampleAnswer } from "./api.ts";
import { shownSpec } from "./shown-spec.ts";
import type { Trace } from "./trace.ts";
import type { Watchers } from "./watchers.ts";

const PICTURE = /^step-(\d{1,12})\.png$/;
const MOST_POINTS = 4_000;
const POINTS = 1_000;

interface RunParts {
  readonly trace: Trace;
  readonly watchers: Watchers;
  /** Images can be asked for. */
  readonly draws: boolean;
}

export function runRoutes(view: RunView, { trace, watchers, draws }: RunParts): GuardedRoutes {
  const samples = join(view.folder, "samples");
  return needing("see", {
    "GET /api/run": ({ response }) => json(response, 200, runAnswer(view, draws)),

    "GET /api/history": async ({ url, response }) => {
      const points = whole(url, "points", 2, MOST_POINTS) ?? POINTS;
      const from = whole(url, "from", 0, Number.MAX_SAFE_INTEGER);
      const to = whole(url, "to", 0, Number.MAX_SAFE_INTEGER);
      await trace.ready.history;
      json(response, 200, trace.history.range(points, from, to));
    },

    "GET /api/blocks": async ({ response }) => {
      await trace.ready.blocks;
      json(response, 200, trace.blocks.view());
    },

    "GET /api/events": ({ url, incoming, response }) => {
      const last = incoming.headers["last-event-id"] ?? url.searchParams.get("after");
      response.setHeader("cache-control", "no-store");
      response.setHeader("x-accel-buffering", "no"); // nginx would gather them
      if (incoming.method === "HEAD") return void response.writeHead(200, { "content-type": EVENTS }).end();
      if (watchers.count >= MOST_WATCHERS) return refuse(response, 503, TOO_MANY);
      response.writeHead(200, { "content-type": EVENTS });
      watchers.join(response, typeof last === "string" && last !== "" ? last : null);
    },

    "GET /api/samples": ({ response }) => json(response, 200, samplesIn(samples)),

    "GET /samples/*": async ({ url, incoming, response }) => {
      const name = url.pathname.slice("/samples/".length);
      const file = join(samples, name);
      if (!PICTURE.test(name) || !existsSync(file)) throw noPicture(name);
      const { size, mtimeMs } = await stat(file);
      const tag = `"${size}-${Math.round(mtimeMs)}"`;
      response.setHeader("cache-control", "no-cache");
      response.setHeader("etag", tag);
      if (incoming.headers["if-none-match"] === tag) return void response.writeHead(304).end();
      response.writeHead(200, { "content-type": "image/png", "content-length": size });
      if (incoming.method === "HEAD") return void response.end();
      await pipeline(createReadStream(file), response).catch(() => response.destroy()); // the reader is gone
    },
  });
}

const EVENTS = "text/event-stream";
const MOST_WATCHERS = 64;
const TOO_MANY = { reason: `${MOST_WATCHERS} watch this run already`, remedy: "close some of its pages" };

function runAnswer(view: RunView, draws: boolean): RunAnswer {
  const { job, incarnation, folder, warnings } = view;
  const { recoveries, decisions, ...status } = view.report();
  return {
    job: job.metadata.name,
    version: PLUME_VERSION,
    incarnation,
    folder,
    spec: shownSpec(job.spec),
    globalBatch: job.spec.training.globalBatch,
    microBatches: microBatchesPerStep(job.spec),
    gridImages: gridImages(job.spec),
    draws: draws && givesImages(job.spec.model.type) && !needsOthers(job.spec),
    status,
    recoveries,
    decisions,
    warnings,
    ended: ending(folder),
  };
}

/** Written before its last event: who hears that finds this. */
function ending(folder: string): RunAnswer["ended"] {
  const file = join(folder, "summary.json");
  if (!existsSync(file)) return null;
  const { outcome, weightsSha256, emaSha256 } = readSummary(file);
  return { outcome, weightsSha256, emaSha256 };
}

function samplesIn(folder: string): SampleAnswer[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names
    .flatMap((name) => {
      const step = PICTURE.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), url: `samples/${name}` }];
    })
    .sort((a, b) => a.step - b.step);
}

/** @throws PlumeError INVALID_ARGUMENT */
function whole(url: URL, name: string, min: number, max: number): number | undefined {
  const text = url.searchParams.get(name);
  if (text === null) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new PlumeError("INVALID_ARGUMENT", `${name} is ${JSON.stringify(text.slice(0, 40))}`, {
    remedy: `give a whole number from ${min} to ${max}`,
  });
}

const noPicture = (name: string) =>
  new PlumeError("NOT_FOUND", `${JSON.stringify(name.slice(0, 60))} is no picture of this run`, {
    remedy: "GET /api/samples lists them",
  });
