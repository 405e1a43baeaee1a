// A block of lines at the end of a terminal that renews itself, with other lines going by above it.
//
// I1. One picture is one write: what is above it, every line and the end of it, between the marks of a synchronized
//     output, so that no half of it is ever seen.
// I2. The cursor rests below the block, so that what is typed, ^C for one, does not stand in it.
// I3. The cursor is shown again when the block is closed, and when the process exits with it open.

export interface Screen {
  /** Lines that stay, above the block. */
  print(...lines: readonly string[]): void;
  /** The block from now on: lines that fit the terminal, with the columns that each takes. */
  draw(lines: readonly DrawnLine[]): void;
  /** Takes the block away and gives the cursor back. */
  close(): void;
}

interface DrawnLine {
  readonly painted: string;
  readonly columns: number;
}

const CSI = "\u001b[";
const BEGIN = `${CSI}?2026h`;
const END = `${CSI}?2026l`;
const HIDE = `${CSI}?25l`;
const SHOW = `${CSI}?25h`;
const TO_END_OF_LINE = `${CSI}K`;
const TO_END_OF_SCREEN = `${CSI}J`;

export function createScreen(output: NodeJS.WriteStream): Screen {
  let drawn: readonly DrawnLine[] = [];
  let isOpen = false;
  const giveBack = () => void output.write(SHOW);

  /** To the first row of the block, in a terminal that has folded its lines anew since it became narrower. */
  const toTop = () => {
    const columns = output.columns || 80;
    const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.columns / columns)), 0);
    return rows > 0 ? `\r${CSI}${rows}A` : "\r";
  };
  const put = (above: readonly string[], block: readonly DrawnLine[]) => {
    const lines = [...above, ...block.map(({ painted }) => painted)];
    const text = lines.map((line) => `${line}${TO_END_OF_LINE}\n`).join("");
    output.write(`${BEGIN}${isOpen ? "" : HIDE}${toTop()}${text}${TO_END_OF_SCREEN}${END}`);
    if (!isOpen) process.once("exit", giveBack);
    isOpen = true;
    drawn = block;
  };

  return {
    print: (...lines) => put(lines, drawn),
    draw: (lines) => put([], lines),
    close() {
      if (!isOpen) return;
      output.write(`${BEGIN}${toTop()}${TO_END_OF_SCREEN}${SHOW}${END}`);
      process.off("exit", giveBack);
      isOpen = false;
      drawn = [];
    },
  };
}
