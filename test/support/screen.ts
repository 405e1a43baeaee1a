// A terminal that can be looked at: a grid of cells, a cursor, and as much of ECMA-48 as plume writes. A narrower terminal
// folds its lines anew, as VTE, kitty, iTerm2 and Windows' do. What plume does not write is a mistake here, not ignored.

import { columnsOf } from "../../coordinator/cli/progress/columns.ts";

interface Row {
  /** A sign of two columns has an empty cell behind it. */
  cells: string[];
  /** The row below goes on with the same line. */
  folded: boolean;
}

export interface VirtualScreen {
  write(text: string): void;
  resize(columns: number, rows: number): void;
  /** What is to be seen, without empty rows at the end. */
  readonly shown: readonly string[];
  /** What has scrolled away, and what is to be seen. */
  readonly all: readonly string[];
  readonly cursorShown: boolean;
  /** Writes that were whole pictures: nothing of them is seen half. */
  readonly pictures: number;
}

const ESC = "\u001b";
const SEQUENCE = /^\[([?\d;]*)([A-Za-z])/;
const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const empty = (): Row => ({ cells: [], folded: false });

export function createVirtualScreen(columns: number, rows: number): VirtualScreen {
  let lines: Row[] = [empty()];
  /** Row of `lines`, and columns in it. */
  let y = 0;
  let x = 0;
  let cursorShown = true;
  let pictures = 0;
  const top = () => Math.max(0, lines.length - rows);

  const down = (folded: boolean) => {
    lines[y]!.folded = folded;
    y++;
    if (y === lines.length) lines.push(empty());
  };
  const put = (sign: string) => {
    const width = columnsOf(sign);
    const { cells } = lines[y]!;
    if (width === 0 && x > 0) {
      cells[x - 1] += sign;
      return;
    }
    if (x + width > columns) {
      down(true);
      x = 0;
      return put(sign);
    }
    while (cells.length < x) cells.push(" ");
    cells.splice(x, width, sign, ...(width === 2 ? [""] : []));
    x += width;
  };
  const sequences: Readonly<Record<string, (argument: string) => void>> = {
    A: (n) => {
      y = Math.max(top(), y - Number(n || 1));
    },
    K: () => {
      lines[y]!.cells.length = Math.min(lines[y]!.cells.length, x);
      lines[y]!.folded = false;
    },
    J: () => {
      sequences.K!("");
      // The rows stay, empty: erasing does not scroll.
      for (const row of lines.slice(y + 1)) Object.assign(row, empty());
    },
    m: () => {},
    h: (mode) => {
      if (mode === "?25") cursorShown = true;
      else if (mode !== "?2026") throw new Error(`unknown mode ${mode}`);
    },
    l: (mode) => {
      if (mode === "?25") cursorShown = false;
      else if (mode === "?2026") pictures++;
      else throw new Error(`unknown mode ${mode}`);
    },
  };
  const print = (text: string) => {
    for (const { segment } of GRAPHEMES.segment(text)) {
      if (segment === "\n" || segment === "\r\n") {
        down(false);
        x = 0;
      } else if (segment === "\r") x = 0;
      else put(segment);
    }
  };

  return {
    write(text) {
      const [first, ...rest] = text.split(ESC);
      print(first!);
      for (const part of rest) {
        const [whole, argument, command] = SEQUENCE.exec(part) ?? [];
        const sequence = sequences[command ?? ""];
        if (!sequence) throw new Error(`unknown sequence ${JSON.stringify(part)}`);
        sequence(argument!);
        print(part.slice(whole!.length));
      }
    },
    resize(nextColumns, nextRows) {
      const before = lines;
      const cursor = lines[y];
      lines = [];
      columns = nextColumns;
      rows = nextRows;
      let whole: string[] = [];
      let isCursor = false;
      for (const row of before) {
        whole.push(...row.cells);
        isCursor ||= row === cursor;
        if (row.folded) continue;
        if (isCursor) y = lines.length;
        do lines.push({ cells: whole.splice(0, columns), folded: whole.length > 0 });
        while (whole.length > 0);
        whole = [];
        isCursor = false;
      }
      x = Math.min(x, columns - 1);
    },
    get shown() {
      const seen = lines.slice(top()).map(({ cells }) => cells.join("").trimEnd());
      while (seen.at(-1) === "") seen.pop();
      return seen;
    },
    get all() {
      return lines.map(({ cells }) => cells.join("").trimEnd());
    },
    get cursorShown() {
      return cursorShown;
    },
    get pictures() {
      return pictures;
    },
  };
}
