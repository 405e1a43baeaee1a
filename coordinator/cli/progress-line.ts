// What a person sees while a job trains: events as lines, and on a terminal a block below them with the run and its
// workers, renewed ten times a second at most; elsewhere a line now and then.

import type { RunEvent, RunStatus } from "../../shared/bus/events.ts";
import { blockLines, runLine } from "./progress/block.ts";
import { plain } from "./progress/columns.ts";
import { createScreen } from "./progress/screen.ts";
import { isLive, type Line, type Look, lineColumns, lookOf, paint, span } from "./progress/style.ts";
import { eventWords, statusWords } from "./progress/words.ts";

export interface ProgressLine {
  show(event: RunEvent): void;
  /** A line of somebody else, which must not stand in the block. */
  note(line: string): void;
  /** Takes the block away but for the run's own line; once. */
  end(): void;
}

/** Seconds between lines when the output is no terminal. */
const QUIET_SECONDS = 10;
const SHORTEST_MS = 100;
/** Nothing happens, and time goes by. */
const IDLE_MS = 1_000;

/** @param now milliseconds. */
export function createProgressLine(
  output: NodeJS.WriteStream,
  now: () => number,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ProgressLine {
  const isTerminal = output.isTTY === true;
  const look = lookOf(isTerminal, env);
  return isLive(isTerminal, env) ? liveProgress(output, now, look) : quietProgress(output, now, look);
}

function quietProgress(output: NodeJS.WriteStream, now: () => number, look: Look): ProgressLine {
  let phase = "";
  let lastShown = Number.NEGATIVE_INFINITY;
  const line = (text: string) => void output.write(`${text}\n`);
  return {
    show(event) {
      const said = eventWords(event);
      if (said) line(paint([span(said.text, said.tone)], look));
      if (event.kind !== "status") return;
      const isDue = now() - lastShown >= QUIET_SECONDS * 1000;
      if (event.status.phase === phase && !isDue) return;
      phase = event.status.phase;
      lastShown = now();
      line(statusWords(event.status));
    },
    note: line,
    end: () => {},
  };
}

function liveProgress(output: NodeJS.WriteStream, now: () => number, look: Look): ProgressLine {
  const screen = createScreen(output);
  let status: RunStatus | null = null;
  let phaseSince = now();
  let stepSince = now();
  let lastDrawn = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | null = null;
  let over = false;

  const drawn = (line: Line) => ({ painted: paint(line, look), columns: lineColumns(line) });
  const later = (ms: number) => {
    if (timer) clearTimeout(timer);
    timer = setTimeout(draw, ms);
    timer.unref();
  };
  const draw = () => {
    lastDrawn = now();
    later(IDLE_MS);
    if (!status) return;
    // The last column and the last row stay free: a terminal must not fold or scroll.
    const room = { columns: (output.columns || 80) - 1, rows: (output.rows || 24) - 1 };
    const ages = { phase: (lastDrawn - phaseSince) / 1000, step: (lastDrawn - stepSince) / 1000 };
    screen.draw(blockLines(status, ages, room, look).map(drawn));
  };
  const soon = () => {
    const wait = lastDrawn + SHORTEST_MS - now();
    if (wait <= 0) draw();
    else later(wait);
  };
  const take = (next: RunStatus) => {
    if (next.phase !== status?.phase) phaseSince = now();
    if (next.step !== status?.step) stepSince = now();
    status = next;
  };
  output.on("resize", draw);

  return {
    show(event) {
      if (over) return;
      const said = eventWords(event);
      if (said) screen.print(paint([span(said.text, said.tone)], look));
      if (event.kind !== "status") return;
      take(event.status);
      soon();
    },
    note(line) {
      if (over) output.write(`${line}\n`);
      else screen.print(...line.split("\n").map(plain));
    },
    end() {
      if (over) return;
      over = true;
      if (timer) clearTimeout(timer);
      output.off("resize", draw);
      screen.close();
      if (status) output.write(`${paint(runLine(status, (output.columns || 80) - 1, look), look)}\n`);
    },
  };
}
