// plume serve as a real process, and where it listens.

import { type Running, type StartOptions, startPlume } from "./plume.ts";

export interface Serving extends Running {
  readonly url: string;
  /** With the token where one was made. */
  readonly link: string;
}

/** @throws with its output when it ends instead. */
export async function startServing(args: readonly string[], options: StartOptions = {}): Promise<Serving> {
  const running = startPlume(["serve", ...args], options);
  let output = "";
  const link = await new Promise<string>((resolve, reject) => {
    running.child.stdout!.on("data", (piece) => {
      output += piece;
      const found = /draw at (\S+)/.exec(output);
      if (found) resolve(found[1]!);
    });
    void running.finished.then(({ code, stderr }) => reject(new Error(`plume serve ended with ${code}\n${stderr}`)));
  });
  return { ...running, link, url: new URL(link).origin };
}
