// The page of a run: wires the line to the coordinator, the model and the panels; draws what has changed, a few times a
// second, and only while somebody looks.

import type { StampedEvent } from "../../shared/bus/event-log.ts";
import type { RunStatus } from "../../shared/bus/events.ts";
import type { BlocksAnswer, HistoryAnswer, RunAnswer, SampleAnswer, StepEvent } from "../http/api.ts";
import { ask, createActions } from "./actions.ts";
import { createBlocks } from "./blocks.ts";
import { createCharts } from "./charts.ts";
import { createConnection, type LinkState } from "./connection.ts";
import { byId, el, setText } from "./dom.ts";
import { createEvents, drawCheckpoints } from "./events.ts";
import { createPanel } from "./generate/panel.ts";
import { drawHeader } from "./header.ts";
import { beginAnew, emptyModel, lastStep, type Topic, takeBlocks, takeEvent, takeHistory, takeSteps } from "./model.ts";
import { drawNotices } from "./notices.ts";
import { bounds, type Range } from "./range.ts";
import { createSamples } from "./samples.ts";
import { setUpTheme } from "./theme.ts";
import { createWorkers } from "./workers.ts";

/** Buckets of a curve: about a pixel each. */
const POINTS = 1_200;
/** Steps since the history was asked for, before it is asked for again. */
const MOST_TAIL = 600;
const MOST_COLUMNS = 2_000;
const DRAW_MS = 200;

const model = emptyModel();
const connection = createConnection({ onState, onMessage });
const redrawSteps = () => touch("steps");
const charts = createCharts(model, setRange, redrawSteps);
const showGenerate = createPanel(connection);
const drawSamples = createSamples(connection);
const drawWorkers = createWorkers();
const drawBlocks = createBlocks();
const drawEvents = createEvents();
const drawActions = createActions(connection, model);
const dirty = new Set<Topic>();
let isDue = false;

setUpTheme(byId<HTMLButtonElement>("theme"), () => {
  charts.recolor();
});
setInterval(() => touch("time"), 1_000);
document.addEventListener("visibilitychange", () => !document.hidden && touch("time"));
connection.listen();

function onState(state: LinkState): void {
  // It is over, and the server is gone.
  if (model.ended && state.kind === "lost") connection.close();
  else model.link = state;
  if (state.kind === "locked") void askToken(state.wrong);
  touch("link");
}

function onMessage(name: string, data: unknown, id: string | null): void {
  if (name === "hello") {
    beginAnew(model);
    void refresh();
  } else if (name === "status") {
    model.status = data as RunStatus;
    touch("status");
  } else if (name === "steps") {
    takeSteps(model, data as readonly StepEvent[]);
    if (model.tail.length > MOST_TAIL) void fetchHistory();
    if (model.columns.length > MOST_COLUMNS) void fetchBlocks();
    touch("steps");
  } else if (name === "kept" && id !== null) {
    const stamped = { ...(data as Omit<StampedEvent, "id">), id };
    if (!takeEvent(model, stamped)) return;
    if (stamped.event.kind === "sample") void fetchSamples();
    if (stamped.event.kind === "end") void conclude();
    touch("events");
  }
}

/** All that is not told by events; again after every connection, for what was missed. */
async function refresh(): Promise<void> {
  await Promise.all([fetchRun(), fetchHistory(), fetchBlocks(), fetchSamples()]);
}

/** An answer that does not come is no news: the line is lost then, and what follows its return asks again. */
async function fetched<T>(path: string, take: (answer: T) => void, topic: Topic): Promise<void> {
  try {
    take(await connection.get<T>(path));
    touch(topic);
  } catch {}
}

const fetchRun = () =>
  fetched<RunAnswer>(
    "api/run",
    (run) => {
      model.run = run;
      model.status = run.status;
      drawSpec(run);
      showGenerate(run.draws && !run.ended);
    },
    "run",
  );
const fetchBlocks = () => fetched<BlocksAnswer>("api/blocks", (answer) => takeBlocks(model, answer), "blocks");
const fetchSamples = () =>
  fetched<readonly SampleAnswer[]>(
    "api/samples",
    (answer) => {
      model.samples = answer;
    },
    "samples",
  );

let asked = 0;
async function fetchHistory(): Promise<void> {
  const mine = ++asked;
  const { range, history } = model;
  const [from, to] = bounds(range, history?.first ?? 0, lastStep(model));
  const which =
    range.kind === "all"
      ? ""
      : `&from=${Math.max(0, Math.floor(from))}${range.kind === "fixed" ? `&to=${Math.ceil(to)}` : ""}`;
  await fetched<HistoryAnswer>(
    `api/history?points=${POINTS}${which}`,
    (answer) => mine === asked && takeHistory(model, answer),
    "steps",
  );
}

function setRange(range: Range): void {
  model.range = range;
  touch("steps");
  void fetchHistory();
}

/** The last pictures and numbers, while the server still answers; then the line is given back. */
async function conclude(): Promise<void> {
  await Promise.all([refresh(), new Promise((resolve) => setTimeout(resolve, 150))]);
  drawSamples(model);
  await new Promise((resolve) => setTimeout(resolve, 250)); // the last picture
  if (model.ended) connection.close();
}

let asking = false;
async function askToken(wrong: boolean): Promise<void> {
  if (asking) return;
  asking = true;
  const field = el("input", { type: "password", id: "asked", autocomplete: "off", required: true });
  const token = await ask({
    title: "This run is locked",
    says: `${wrong ? "That was not its token. " : ""}plume train printed it, or it is monitoring.token of the job, PLUME_TOKEN, or page-token in the run's folder.`,
    button: "Open",
    danger: false,
    field,
    label: "token",
  });
  asking = false;
  if (token) connection.unlock(token);
  else model.link = { kind: "locked", wrong };
}

function drawSpec(run: RunAnswer): void {
  setText(byId("spec-value"), `plume ${run.version}, incarnation ${run.incarnation}, ${run.folder}`);
  setText(byId("spec"), JSON.stringify(run.spec, null, 2));
}

function touch(topic: Topic): void {
  dirty.add(topic);
  if (isDue) return;
  isDue = true;
  setTimeout(() => requestAnimationFrame(draw), DRAW_MS);
}

function draw(): void {
  isDue = false;
  const has = (...topics: Topic[]) => topics.some((topic) => dirty.has(topic));
  const [time, events, steps] = [has("time", "link"), has("events"), has("steps", "blocks", "run")];
  const status = has("status", "run") || time || events;
  dirty.clear();
  if (status || steps) drawHeader(model);
  if (status || events) {
    drawActions();
    drawNotices(model, () => connection.listen());
    drawWorkers(model);
  }
  if (events || status) drawCheckpoints(model);
  if (events) drawEvents(model);
  if (steps) {
    charts.draw(model);
    drawBlocks(model);
  }
  drawSamples(model);
}
