// A real Prometheus on loopback, with a configuration of the test's own.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { cacheFolder } from "../../shared/cache-folder.ts";
import { PlumeError } from "../../shared/errors.ts";
import { scratchFolder } from "./plume.ts";
import { freePort, pause } from "./processes.ts";

const READY_SECONDS = 60;

/** @throws PlumeError FAILED_PRECONDITION when it is not set up. */
function binary(name: "prometheus" | "promtool"): string {
  const file = cacheFolder(`prometheus/current/${name}`);
  if (!existsSync(file))
    throw new PlumeError("FAILED_PRECONDITION", `${name} of the tests is not in ${file}`, {
      remedy: "npm run setup:prometheus",
    });
  return file;
}

/** @returns what it says. @throws with that when it is not content. */
export function promtool(...args: string[]): string {
  try {
    return execFileSync(binary("promtool"), args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`promtool ${args.join(" ")}\n${stdout}${stderr}`);
  }
}

/** One series of an answer: its labels, and its samples as [seconds since the epoch, value]. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [number, number])[];
}

interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: "pending" | "firing";
}

export interface PrometheusServer extends AsyncDisposable {
  readonly url: string;
  /** An instant query; a vector has one sample a series, a matrix as many as were scraped. */
  query(expr: string): Promise<readonly Series[]>;
  /** The only value of the only series. @throws when there is none, or more. */
  value(expr: string): Promise<number>;
  alerts(): Promise<readonly Alert[]>;
}

/** @param rules files beside the configuration, by name. */
export async function startPrometheus(
  config: string,
  rules: Readonly<Record<string, string>>,
): Promise<PrometheusServer> {
  const file = binary("prometheus");
  const scratch = scratchFolder();
  writeFileSync(scratch.file("prometheus.yml"), config);
  for (const [name, text] of Object.entries(rules)) writeFileSync(scratch.file(name), text);
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const child = spawn(
    file,
    [
      `--config.file=${scratch.file("prometheus.yml")}`,
      `--storage.tsdb.path=${scratch.file("data")}`,
      `--web.listen-address=${address}`,
      "--log.level=warn",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let output = "";
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk;
  });
  const dispose = async (): Promise<void> => {
    await end(child);
    scratch[Symbol.dispose]();
  };
  const deadline = Date.now() + READY_SECONDS * 1000;
  while (
    !(await fetch(`${url}/-/ready`).then(
      (answer) => answer.ok,
      () => false,
    ))
  ) {
    const over = child.exitCode !== null || Date.now() > deadline;
    if (over) await dispose();
    if (over) throw new Error(`Prometheus is not ready (exit code ${child.exitCode}): ${output}`);
    await pause(50);
  }

  const ask = async (path: string, parameters: Readonly<Record<string, string>> = {}): Promise<unknown> => {
    const answer = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { status, data, error } = (await answer.json()) as { status: string; data: unknown; error?: string };
    if (status !== "success") throw new Error(`${path} ${JSON.stringify(parameters)}: ${error}`);
    return data;
  };
  const query = async (expr: string): Promise<readonly Series[]> => seriesOf(await ask("query", { query: expr }));
  return {
    url,
    query,
    async value(expr) {
      const series = await query(expr);
      if (series.length !== 1) throw new Error(`${expr} has ${series.length} series: ${JSON.stringify(series)}`);
      return series[0]!.samples[0]![1];
    },
    alerts: async () => ((await ask("alerts")) as { alerts: Alert[] }).alerts,
    [Symbol.asyncDispose]: dispose,
  };
}

type Sample = [number, string];

function seriesOf(data: unknown): readonly Series[] {
  const { result } = data as { result: { metric: Record<string, string>; value?: Sample; values?: Sample[] }[] };
  return result.map(({ metric, value, values = value ? [value] : [] }) => ({
    metric,
    samples: values.map(([at, text]) => [at, Number(text)] as const),
  }));
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}
