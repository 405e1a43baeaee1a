// Name, phase with its reason, progress, the line's state, and the figures.

import { isOver, type RunStatus } from "../../shared/bus/events.ts";
import { byId, el, setText } from "./dom.ts";
import { clock, count, duration, number, roughly } from "./format.ts";
import type { Model } from "./model.ts";

export function drawHeader(model: Model): void {
  const { status, link } = model;
  drawLink(model);
  if (!status) return;
  const isLost = link.kind === "lost";
  setText(byId("job"), status.job);
  const pill = byId("phase");
  pill.dataset.phase = status.phase;
  setText(pill, status.phase);
  setText(byId("reason"), status.reason);
  byId("reason").title = status.reason;
  const percent = status.steps > 0 ? (100 * status.step) / status.steps : 0;
  document.title = `${isLost ? "⚠ " : ""}${percent.toFixed(0)} % ${status.job} – plume`;
  byId("done").style.width = `${percent}%`;
  byId("progress").setAttribute("aria-valuenow", percent.toFixed(1));
  const bold = el("b", {}, `step ${count(status.step)} of ${count(status.steps)}`);
  const text = byId("progress-text");
  const rest = ` · ${percent.toFixed(1)} %${timeLeft(status)}`;
  if (text.textContent !== `${bold.textContent}${rest}`) text.replaceChildren(bold, rest);
  drawFigures(model, status);
}

function timeLeft({ phase, etaSeconds, wallSeconds }: RunStatus): string {
  if (isOver(phase)) return ` · took ${duration(wallSeconds)}`;
  if (etaSeconds <= 0) return "";
  return ` · ${duration(etaSeconds)} left, until ${clock(Date.now() + 1000 * etaSeconds).slice(0, 5)}`;
}

function drawLink({ link, ended }: Model): void {
  const element = byId("link");
  const words =
    ended && link.kind !== "live"
      ? "the run is over"
      : link.kind === "lost"
        ? `connection lost ${duration((Date.now() - link.sinceMs) / 1000)} ago, trying again`
        : link.kind === "locked"
          ? "locked"
          : link.kind === "closed"
            ? "not connected"
            : link.kind;
  element.dataset.state = ended && link.kind === "closed" ? "over" : link.kind;
  // Read aloud when it changes, not every second.
  if (link.kind === "lost" && element.textContent?.startsWith("connection lost"))
    element.setAttribute("aria-live", "off");
  else element.setAttribute("aria-live", "polite");
  setText(element, words);
}

const cells = new Map<string, HTMLElement>();

function drawFigures({ events, tail, history, run }: Model, status: RunStatus): void {
  const newest = tail.at(-1);
  const at = (name: "loss" | "gradNorm" | "lr") => newest?.[name] ?? history?.series[name].mean.at(-1) ?? null;
  const saved = events.findLast(({ event }) => event.kind === "checkpoint");
  const { members, desired, goodput, saves, wallSeconds } = status;
  const ready = members.filter(({ phase, suspect }) => phase === "ready" && !suspect).length;
  const recoveries = events.reduce((n, { event }) => n + (event.kind === "recovered" ? 1 : 0), 0);
  const rate = status.imagesPerSecond;
  const seen = run ? status.step * run.globalBatch : 0;
  const figures: readonly (readonly [string, string, string])[] = [
    ["Loss", number(newest?.loss ?? (Number.isFinite(status.loss) ? status.loss : at("loss"))), ""],
    ["Gradient norm", number(at("gradNorm")), ""],
    ["Learning rate", number(at("lr")), ""],
    ["Throughput", rate > 0 ? number(rate) : "–", rate > 0 ? "images/s" : ""],
    [
      "Step time",
      newest ? duration(newest.seconds.total) : rate > 0 && run ? duration(run.globalBatch / rate) : "–",
      "",
    ],
    ["Workers", `${ready}`, `of ${desired} asked for`],
    ["Goodput", `${(100 * goodput).toFixed(1)} %`, `of ${roughly(wallSeconds)}`],
    ["Images", seen > 0 ? count(seen) : "–", ""],
    ["Recoveries", count(recoveries), ""],
    [
      "Checkpoints",
      count(saves.written),
      saves.failed > 0
        ? `${saves.failed} failed`
        : saved
          ? `${roughly(Math.max(0, Date.now() - saved.atMs) / 1000)} ago`
          : "",
    ],
  ];
  for (const [name, value, unit] of figures) {
    let cell = cells.get(name);
    if (!cell) {
      cell = el("dd", {}, "");
      cells.set(name, cell);
      byId("figures").append(el("div", { class: name === "Images" ? "wide" : "" }, el("dt", {}, name), cell));
    }
    if (cell.textContent !== `${value} ${unit}`) cell.replaceChildren(`${value} `, el("small", {}, unit));
  }
}
