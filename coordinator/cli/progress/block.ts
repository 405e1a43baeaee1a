// The live block: the run, why it is as it is, and its workers, as lines that fit the terminal. Pure.

import type { MemberView, Phase, RunStatus } from "../../../shared/bus/events.ts";
import { counted } from "../../../shared/counted.ts";
import { byName, stateCounts, stateOf } from "../members.ts";
import { columnsOf, padEnd, padStart, plain } from "./columns.ts";
import { clipLine, type Line, type Look, lineColumns, type Span, span, type Tone } from "./style.ts";
import { duration, lossWords, percent, speedWords } from "./words.ts";

export interface Room {
  readonly columns: number;
  /** Lines at most. */
  readonly rows: number;
}

/** What the clock says of a run. */
export interface Ages {
  /** Seconds since the phase began, and since a step was committed. */
  readonly phase: number;
  readonly step: number;
}

/** Workers that get a line each, at most. */
const WORKER_ROWS = 8;
/** A step that takes so long is worth a word. */
const LONG_SECONDS = 5;

export function blockLines(status: RunStatus, ages: Ages, room: Room, look: Look): readonly Line[] {
  const workers = Math.max(0, Math.min(WORKER_ROWS, room.rows - 2));
  const lines = [
    runLine(status, room.columns, look),
    whyLine(status, ages, look),
    ...workerLines(status, workers, look),
  ];
  return lines.slice(0, Math.max(0, room.rows)).map((line) => clipLine(line, room.columns, look));
}

/** Parts of a line, of which the least needed go first when there is no room. */
interface Part extends Span {
  /** The higher, the sooner it goes. */
  readonly dispensable: number;
}

const BETWEEN = "  ";
const SHORTEST_BAR = 8;
const LONGEST_BAR = 40;

export function runLine(
  { job, step, steps, loss, imagesPerSecond, etaSeconds }: RunStatus,
  columns: number,
  look: Look,
): Line {
  const part = (text: string, tone: Tone, dispensable: number): Part => ({ text, tone, dispensable });
  let parts = [
    part(plain(job), "strong", 5),
    part(`step ${step}/${steps}`, "plain", 0),
    part(percent(step, steps).trim(), "plain", 3),
    part(`loss ${lossWords(loss)}`, "plain", 1),
    part(`${speedWords(imagesPerSecond)} images/s`, "plain", 4),
    part(`ETA ${duration(etaSeconds)}`, "plain", 2),
  ];
  const width = () => lineColumns(parts) + BETWEEN.length * (parts.length - 1);
  while (parts.length > 1 && width() > columns) {
    const most = Math.max(...parts.map(({ dispensable }) => dispensable));
    parts = parts.filter(({ dispensable }) => dispensable !== most);
  }
  const left = Math.min(LONGEST_BAR, columns - width() - BETWEEN.length);
  const bar = left >= SHORTEST_BAR ? barOf(steps > 0 ? step / steps : 0, left, look) : [];
  const head = parts[0]!.dispensable === 5 ? 1 : 0;
  const spans: Span[][] = parts.map(({ text, tone }) => [span(text, tone)]);
  if (bar.length > 0) spans.splice(head, 0, bar);
  return spans.flatMap((each, index) => (index === 0 ? each : [span(BETWEEN), ...each]));
}

function barOf(share: number, columns: number, { unicode }: Look): Span[] {
  const full = Math.round(Math.min(1, Math.max(0, share)) * columns);
  const [done, open] = unicode ? ["━", "─"] : ["#", "-"];
  return [span(done!.repeat(full), "good"), span(open!.repeat(columns - full), "dim")];
}

const PHASE_TONES = {
  Starting: "plain",
  Waiting: "warn",
  Recovering: "warn",
  Training: "good",
  Paused: "warn",
  Sampling: "good",
  Saving: "good",
  Complete: "good",
  Stopped: "warn",
  Failed: "bad",
} as const satisfies Record<Phase, Tone>;

/** Phase with its reason, and what one would ask next. */
function whyLine(status: RunStatus, ages: Ages, { unicode }: Look): Line {
  const { phase, reason, incarnation, goodput, wallSeconds, saves } = status;
  const facts: string[] = [];
  if (phase !== "Training" && ages.phase >= 1) facts.push(`for ${duration(ages.phase)}`);
  if (phase === "Training" && ages.step >= LONG_SECONDS) facts.push(`last step ${duration(ages.step)} ago`);
  if (wallSeconds >= LONG_SECONDS) facts.push(`goodput ${(100 * goodput).toFixed(0)} %`);
  if (saves.written > 0) facts.push(counted(saves.written, "checkpoint"));
  if (saves.failed > 0) facts.push(`${saves.failed} FAILED`);
  if (incarnation > 1) facts.push(`incarnation ${incarnation}`);
  const dot = unicode ? " · " : " - ";
  return [
    span(phase, PHASE_TONES[phase]),
    span(`: ${plain(reason)}`),
    ...facts.map((fact) => span(`${dot}${fact}`, "dim")),
  ];
}

/** In trouble, or not there yet. */
const isRemarkable = ({ phase, suspect, pulled }: MemberView) =>
  suspect !== "" || phase !== "ready" || pulled !== undefined;

/** One line a worker; where there is no room for all, the remarkable ones come first and the rest is summed up. */
function workerLines({ members }: RunStatus, rows: number, look: Look): Line[] {
  if (rows <= 0) return [];
  const sorted = [...members].sort(byName);
  if (sorted.length <= rows) return table(sorted);
  const chosen = [...sorted].sort((a, b) => Number(isRemarkable(b)) - Number(isRemarkable(a))).slice(0, rows - 1);
  const rest = sorted.filter((member) => !chosen.includes(member));
  return [...table(chosen.sort(byName)), restLine(rest, chosen.length > 0, look)];
}

function table(members: readonly MemberView[]): Line[] {
  const rows = members.map((member) => [
    plain(member.workerId),
    stateOf(member),
    `${speedWords(member.imagesPerSecond)} images/s`,
    `${(100 * member.share).toFixed(0)} %`,
    member.queued > 0 ? `holds ${member.queued}` : "",
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(0, ...rows.map((row) => columnsOf(row[column]!))));
  return members.map((member, index) => {
    const [name, state, speed, share, holds] = rows[index]!;
    const tone: Tone = member.suspect ? "warn" : member.phase === "ready" ? "plain" : "dim";
    return [
      span(`  ${padEnd(name!, widths[0]!)}  `),
      span(`${padEnd(state!, widths[1]!)}  `, tone),
      span(`${padStart(speed!, widths[2]!)}  ${padStart(share!, widths[3]!)}  `),
      span(padEnd(holds!, widths[4]!), "dim"),
      span(troubleOf(member), member.suspect ? "warn" : "dim"),
    ];
  });
}

function troubleOf({ suspect, pulled }: MemberView): string {
  if (suspect) return `  ${plain(suspect)}`;
  return pulled === undefined ? "" : `  pulling ${(100 * pulled).toFixed(0)} %`;
}

function restLine(members: readonly MemberView[], more: boolean, { unicode }: Look): Line {
  const speed = members.reduce((sum, { imagesPerSecond }) => sum + imagesPerSecond, 0);
  const who = `${members.length} ${more ? "more " : ""}workers`;
  return [span(`  ${unicode ? "…" : "..."} ${who}: ${stateCounts(members)}, ${speedWords(speed)} images/s`, "dim")];
}
