// plume serve: a server that draws what people and programs ask it for, and a page to ask from.

import { Command } from "commander";
import { PlumeError } from "../../../shared/errors.ts";
import { isLoopback } from "../../../shared/http/access.ts";
import { guarded } from "../../../shared/http/guard.ts";
import { pageRoutes } from "../../../shared/http/page-files.ts";
import { type HttpServer, reply, startHttp } from "../../../shared/http/server.ts";
import { newToken, tokenOfEnvironment } from "../../../shared/http/token.ts";
import { checkWeights } from "../../../shared/interop/load-model.ts";
import { keepSecret } from "../../../shared/secrets.ts";
import { pageFiles } from "../../ui/build.mjs";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION } from "../backend.ts";
import { parseDrawers, WORKERS_OPTION } from "../drawing/workers.ts";
import { CLASSIFIER_OPTION } from "../guide.ts";
import { collect, wholeNumber } from "../options.ts";
import { openServed, type Served } from "../serving/model.ts";
import { createQueue } from "../serving/queue.ts";
import { createResults } from "../serving/results.ts";
import { createImageSite } from "../serving/routes.ts";
import { BASE_OPTION } from "./sample/low-res.ts";
import { drawnBy } from "./sample/pipeline.ts";
import { PRIOR_OPTION } from "./sample/prior.ts";

interface ServeOptions {
  readonly host: string;
  readonly port: string;
  readonly pipeline?: string;
  readonly base?: readonly string[];
  readonly classifier?: string;
  readonly prior?: string;
  readonly weights?: string;
  readonly workers?: string;
  readonly backend?: string;
}

/** Drawings that wait while one is made. */
const MOST_WAITING = 16;
/** The drawing in hand may take so long when the server is asked to end; Kubernetes waits 30 s. */
const GRACE_MS = 20_000;
const MOST_PORT = 65_535;

export function serveCommand(): Command {
  return new Command("serve")
    .description("draw images for whoever asks, over HTTP and on a page of its own")
    .argument("[checkpoint]", "a run's folder, a checkpoint store, one step-... folder, or an exported folder")
    .option("--pipeline <dir>", "instead of a checkpoint: a pipeline's folder, through all of its stages that draw")
    .option("--host <address>", "to listen at; others than loopback need a token", "127.0.0.1")
    .option("--port <n>", "to listen at; 0 takes a free one", "0")
    .option(...BASE_OPTION, collect)
    .option(...PRIOR_OPTION)
    .option(...CLASSIFIER_OPTION)
    .option("--weights <which>", "ema | raw (default: ema, or what an exported folder has)")
    .option(...WORKERS_OPTION)
    .option(...BACKEND_OPTION)
    .addHelpText(
      "after",
      `
Examples:
  plume serve runs/fashion
  plume serve runs/text --port 8000
  plume serve runs/upsampler --base runs/adm-14
  plume serve --pipeline runs/text-to-image
  curl -d '{"class": "Sneaker", "count": 4, "seed": 1}' http://127.0.0.1:8000/v1/images -o sneakers.png
  curl -d '{"prompt": "large red square"}' -H 'accept: application/json' http://127.0.0.1:8000/v1/images

POST /v1/images takes a JSON object of prompt, class, count, seed, sampler, steps, guidance, eta, grid, threshold, percentile,
classifierScale and lowResNoise, each as plume sample does, and gives the same bits: the grid as PNG, or what the header accept
asks for: application/x-npy, application/json (where each image is), text/event-stream (progress first). GET /v1/model tells
what the model reads. A run is drawn from by its newest checkpoint. One drawing is made at a time, ${MOST_WAITING} wait; 429 says when to
ask again. With PLUME_TOKEN, or at another address than loopback, a request needs authorization: Bearer TOKEN.`,
    )
    .action(action(serve));
}

async function serve(io: CommandIo, options: ServeOptions, named?: string): Promise<undefined> {
  const { checkpoint, base: bases = options.base ?? [] } = drawnBy(named, options);
  const port = portOf(options.port);
  const weights = options.weights === undefined ? undefined : checkWeights(options.weights);
  const workers = parseDrawers(options.workers);
  const { host, classifier, prior, backend } = options;
  const given = tokenOfEnvironment();
  const token = given ?? (isLoopback(host) ? null : newToken());
  if (token !== null) keepSecret(token);
  const names = token === null ? [] : "any";
  const server = await startHttp({ host, port, field: "--port", names, onError: (error) => tell(io, error) });
  const end = new AbortController();
  const interrupt = () => end.abort(io.signal.reason);
  io.signal.addEventListener("abort", interrupt, { once: true });
  try {
    const how = { weights, bases, classifier, prior, backend, workers, signal: end.signal };
    using served = await openServed(checkpoint, how);
    io.signal.removeEventListener("abort", interrupt);
    const link = given === null && token !== null ? `${server.url}/#token=${token}` : server.url;
    await answer(io, served, { server, token, link });
  } finally {
    await server.close();
  }
  return undefined;
}

interface Site {
  readonly server: HttpServer;
  readonly token: string | null;
  /** What opens the page. */
  readonly link: string;
}

/** Until the command is asked to end. */
async function answer(io: CommandIo, served: Served, { server, token, link }: Site): Promise<void> {
  using results = createResults();
  const queue = createQueue(MOST_WAITING, Date.now);
  const site = createImageSite({ served, queue, results, now: Date.now, onError: (error) => tell(io, error) });
  server.route(guarded({ ...site.routes, ...(await pageRoutes("generate", () => pageFiles("generate"))) }, token));
  server.route({ "GET /healthz": ({ response }) => reply(response, 200, "text/plain", "ok\n") });
  const { name, step } = await served.about();
  io.print(`${name} at step ${step}: draw at ${link}`);
  io.result({ url: server.url, link, name, step });
  process.send?.({ url: server.url });
  const why = await untilAsked(io.signal);
  io.note("ending: the drawing in hand is finished, those that wait are told");
  await queue.close(why === "asked" ? GRACE_MS : 0);
  await site.atRest();
}

const tell = (io: CommandIo, error: unknown) =>
  io.note(`a request failed: ${error instanceof Error ? error.stack : error}`);

/** To end; or whoever started this process to draw for it is gone, or needs it no more. */
const untilAsked = (signal: AbortSignal): Promise<"asked" | "alone"> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve("asked");
    signal.addEventListener("abort", () => resolve("asked"), { once: true });
    process.once("disconnect", () => resolve("alone"));
  });

function portOf(text: string): number {
  const port = wholeNumber("--port", text);
  if (port <= MOST_PORT) return port;
  throw new PlumeError("INVALID_ARGUMENT", `--port ${port} is above ${MOST_PORT}`, { remedy: "0 takes a free one" });
}
