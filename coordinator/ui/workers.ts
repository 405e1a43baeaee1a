// Workers: who is there, how fast, and when each came and went.

import type { MemberView } from "../../shared/bus/events.ts";
import { byId, choice, el, setText } from "./dom.ts";
import { clock, duration, moment, number } from "./format.ts";
import { type Lanes, lanesOf, type Span } from "./lanes.ts";
import type { Model } from "./model.ts";
import { workerColor } from "./theme.ts";

const WINDOWS = { all: "all", "3600": "1 h", "600": "10 min", "60": "1 min" } as const;
/** Drawn of a lane, the newest. */
const MOST_SPANS = 300;
const TICKS = 5;

interface Row {
  readonly row: HTMLElement;
  readonly state: HTMLElement;
  readonly speed: HTMLElement;
  readonly share: HTMLElement;
  readonly heard: HTMLElement;
  readonly lane: HTMLElement;
}

export function createWorkers(): (model: Model) => void {
  const host = byId("lanes");
  let seconds: keyof typeof WINDOWS = "all";
  let lanes: Lanes = lanesOf([]);
  let known = -1;
  let last: Model | null = null;
  const rows = new Map<string, Row>();
  const phases = el("div", { class: "lane phases", role: "img" });
  const axis = el("div", { class: "lane axis", "aria-hidden": "true" });
  const blank = () => el("span", { class: "blank" });
  const grid = el("div", { class: "lanes" });
  const head = el(
    "div",
    { class: "row first" },
    ...["worker", "state", "images/s", "share", "heard"].map((word, i) =>
      el("span", { class: i > 1 ? `num ${word === "heard" ? "heard" : ""}` : "" }, word),
    ),
    phases,
  );
  const foot = el("div", { class: "row first" }, blank(), blank(), blank(), blank(), blank(), axis);
  host.append(grid);

  const rowOf = (name: string): Row => {
    const found = rows.get(name);
    if (found) return found;
    const cell = (className: string) => el("span", { class: className });
    const made = {
      state: cell("state"),
      speed: cell("num"),
      share: cell("num"),
      heard: cell("num heard"),
      lane: el("div", { class: "lane", role: "img", "--c": workerColor(name) }),
    };
    const row = el(
      "div",
      { class: "row" },
      el("span", { class: "name", "--c": workerColor(name) }, name),
      made.state,
      made.speed,
      made.share,
      made.heard,
      made.lane,
    );
    rows.set(name, { ...made, row });
    return rows.get(name)!;
  };

  const draw = (model: Model) => {
    last = model;
    if (known !== model.events.length) lanes = lanesOf(model.events);
    known = model.events.length;
    const members = new Map((model.status?.members ?? []).map((member) => [member.workerId, member]));
    const names = [...new Set([...members.keys(), ...lanes.workers.keys()])].sort(byNumber);
    const { link } = model;
    const isStale = link.kind === "lost";
    const endMs = model.ended ? model.events.at(-1)?.atMs : undefined;
    const toMs = link.kind === "lost" ? link.sinceMs : (endMs ?? Date.now());
    const fromMs = seconds === "all" ? (lanes.fromMs ?? toMs - 1) : toMs - 1000 * Number(seconds);
    const place = (atMs: number) => Math.min(100, Math.max(0, (100 * (atMs - fromMs)) / Math.max(1, toMs - fromMs)));

    press(seconds);
    const order = [head, ...names.map((name) => rowOf(name).row), foot];
    if (order.length !== grid.children.length || order.some((row, i) => grid.children[i] !== row))
      grid.replaceChildren(...order);
    for (const name of names)
      drawRow(name, rowOf(name), members.get(name), isStale, lanes.workers.get(name) ?? [], place);
    drawPhases(phases, lanes, place);
    drawAxis(axis, fromMs, toMs);
    setText(byId("workers-value"), summaryOf(model));
  };
  const press = choice(byId("windows"), WINDOWS, (key) => {
    seconds = key;
    if (last) draw(last);
  });
  return draw;
}

const byNumber = (a: string, b: string) => a.localeCompare(b, "en", { numeric: true });

function summaryOf({ status }: Model): string {
  if (!status) return "";
  const { members, desired, min, max, wish } = status;
  const liked = wish ? `, the job would like ${wish.workers}` : "";
  return `${members.length} here, ${desired} asked for${liked}, ${min} to ${max} allowed`;
}

function drawRow(
  name: string,
  row: Row,
  member: MemberView | undefined,
  isStale: boolean,
  spans: readonly Span[],
  place: (ms: number) => number,
): void {
  const state = member ? (member.suspect ? "suspect" : member.phase) : "gone";
  row.row.classList.toggle("gone", !member);
  row.state.className = `state ${state}`;
  const last = spans.at(-1);
  const pulled = member?.pulled === undefined ? "" : `, pulls ${(100 * member.pulled).toFixed(0)} %`;
  setText(row.state, member ? `${state}${pulled}` : last?.end === "over" ? "done" : (last?.end ?? "gone"));
  row.state.title = member ? member.suspect || `${member.device}, ${member.transport}` : (last?.reason ?? "");
  setText(row.speed, member ? number(member.imagesPerSecond) : "");
  setText(row.share, member ? `${(100 * member.share).toFixed(0)} %` : "");
  setText(
    row.heard,
    isStale
      ? "–"
      : member
        ? member.heartbeatAgeMs < 950
          ? "now"
          : `${(member.heartbeatAgeMs / 1000).toFixed(0)} s ago`
        : "",
  );
  row.lane.setAttribute("aria-label", `${name}: ${spans.slice(-4).map(spanWords).join("; ") || "not seen yet"}`);
  row.lane.replaceChildren(
    ...spans.slice(-MOST_SPANS).flatMap((span) => {
      const [from, to] = [place(span.fromMs), span.toMs === null ? 100 : place(span.toMs)];
      if (to <= 0 && span.toMs !== null) return [];
      const bar = el("i", {
        class: span.state,
        left: `${from}%`,
        width: `${Math.max(0, to - from)}%`,
        title: spanWords(span),
      });
      if (span.end === null || span.end === "over" || span.end === "restart") return [bar];
      return [bar, el("b", { class: span.end, left: `calc(${to}% - 1px)`, title: `${span.end}: ${span.reason}` })];
    }),
  );
}

function spanWords({ state, fromMs, toMs, end, reason }: Span): string {
  const until = toMs === null ? "until now" : `to ${clock(toMs)}`;
  const how =
    end === null || end === "over" ? "" : end === "restart" ? " (the coordinator was lost)" : ` (${end}: ${reason})`;
  return `${state === "in" ? "there" : "suspect"} ${clock(fromMs)} ${until}${how}`;
}

function drawPhases(host: HTMLElement, { phases, marks }: Lanes, place: (ms: number) => number): void {
  host.setAttribute(
    "aria-label",
    `Phases: ${phases
      .slice(-5)
      .map(({ phase, fromMs }) => `${phase} from ${clock(fromMs)}`)
      .join(", ")}`,
  );
  host.replaceChildren(
    ...phases.slice(-MOST_SPANS).map(({ phase, reason, fromMs, toMs }) => {
      const [from, to] = [place(fromMs), toMs === null ? 100 : place(toMs)];
      return el("i", {
        "data-phase": phase,
        left: `${from}%`,
        width: `${Math.max(0, to - from)}%`,
        title: `${phase} ${clock(fromMs)}: ${reason}`,
      });
    }),
    ...marks
      .slice(-MOST_SPANS)
      .map(({ atMs, words }) => el("b", { left: `${place(atMs)}%`, title: `${words}, ${clock(atMs)}` })),
  );
}

function drawAxis(host: HTMLElement, fromMs: number, toMs: number): void {
  const long = toMs - fromMs > 20 * 3_600_000;
  host.replaceChildren(
    ...Array.from({ length: TICKS }, (_, i) => {
      const part = i / (TICKS - 1);
      const atMs = fromMs + part * (toMs - fromMs);
      const words = i === TICKS - 1 ? "now" : long ? moment(atMs) : clock(atMs);
      return el(
        "span",
        { left: `${100 * part}%`, class: `edge-${part}` },
        i === TICKS - 1 && toMs < Date.now() - 2_000 ? clock(atMs) : words,
      );
    }),
  );
  host.title = duration((toMs - fromMs) / 1000);
}
