// A program in a real terminal: python's pty, its output on a screen that can be looked at.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createVirtualScreen, type VirtualScreen } from "./screen.ts";

const SCRIPT = fileURLToPath(new URL("python/terminal.py", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface InTerminal extends Disposable {
  readonly screen: VirtualScreen;
  /** The exit code. */
  readonly ended: Promise<number | null>;
  resize(columns: number, rows: number): void;
  interrupt(): void;
}

export function startInTerminal(
  columns: number,
  rows: number,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): InTerminal {
  const screen = createVirtualScreen(columns, rows);
  const child = spawn("python3", [SCRIPT, String(columns), String(rows), ...command], {
    cwd: ROOT,
    env: { ...process.env, TERM: "xterm-256color", PLUME_AUTO: "wasm", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  // A piece may end in the middle of an escape, or of a sign.
  let rest = "";
  const decoder = new TextDecoder();
  child.stdout.on("data", (piece: Buffer) => {
    rest += decoder.decode(piece, { stream: true });
    const end = rest.lastIndexOf("\n") + 1;
    screen.write(rest.slice(0, end));
    rest = rest.slice(end);
  });
  const ended = new Promise<number | null>((resolve) =>
    child.on("close", (code) => {
      screen.write(rest);
      resolve(code);
    }),
  );
  return {
    screen,
    ended,
    resize(columns, rows) {
      screen.resize(columns, rows);
      child.stdin.write(`resize ${columns} ${rows}\n`);
    },
    interrupt: () => void child.stdin.write("key 3\n"),
    [Symbol.dispose]: () => void child.kill(),
  };
}
