// npm run stack [-- -f JOB] -- NATS, S3, Prometheus and a job that uses all of them, on this machine, until Ctrl-C.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { loadJob } from "../../shared/config/load.ts";
import { describeError, PlumeError } from "../../shared/errors.ts";
import { parseOptions } from "../../shared/options.ts";
import { ROOT } from "../../shared/root.ts";
import { BUCKET, choosePorts, type Ports, s3Environment, startServers } from "./servers.ts";

const USAGE = `npm run stack [-- options]: NATS, S3, Prometheus and a job that uses all of them, until Ctrl-C

  -f, --file JOB    job file (default: deploy/jobs/shapes.yaml)
      --dir DIR     data and logs of the servers, and the run (default: runs/stack)
      --free-ports  any free ports instead of the usual ones (which give way where they are taken)

Examples:
  npm run stack
  npm run stack -- -f deploy/jobs/fashion.yaml --dir runs/fashion-stack`;

const OPTIONS = {
  file: { type: "string", short: "f", default: join(ROOT, "deploy/jobs/shapes.yaml") },
  dir: { type: "string", default: "runs/stack" },
  "free-ports": { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** What makes a job use the servers. */
const fields = (name: string, { nats, page }: Ports): readonly string[] => [
  `nats.servers=["nats://127.0.0.1:${nats}"]`,
  `checkpoint.store=s3://${BUCKET}/${name}`,
  `monitoring.port=${page}`,
];

function banner(ports: Ports, dir: string, name: string): string {
  const environment = Object.entries(s3Environment(ports)).map(([key, value]) => `${key}=${value}`);
  return `
  page        http://127.0.0.1:${ports.page}  (metrics: /metrics)
  Prometheus  http://127.0.0.1:${ports.prometheus}  (alerts: /alerts)
  NATS        nats://127.0.0.1:${ports.nats}  (npx plume ctl status --nats nats://127.0.0.1:${ports.nats} --job ${name})
  S3          http://127.0.0.1:${ports.s3}  (s3://${BUCKET}/${name})
  logs        ${relative(process.cwd(), dir) || "."}/*.log

  for plume checkpoints ls s3://${BUCKET}/${name}:
  export ${environment.join(" ")}
`;
}

/** @returns its exit code. */
const exitOf = (child: ChildProcess): Promise<number> =>
  new Promise((done) => child.once("exit", (code, signal) => done(signal ? 130 : (code ?? 1))));

async function main(): Promise<number> {
  const options = parseOptions(OPTIONS, "npm run stack -- --help");
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  const { name } = loadJob(options.file, { set: [] }).metadata;
  const dir = resolve(options.dir);
  mkdirSync(dir, { recursive: true });
  const ports = await choosePorts(options["free-ports"]);
  await using _servers = await startServers(dir, ports);
  console.log(banner(ports, dir, name));

  const set = fields(name, ports).flatMap((field) => ["--set", field]);
  const plume = join(ROOT, "coordinator/cli/plume.mjs");
  const job = spawn(process.execPath, [plume, "train", "-f", options.file, "--out", join(dir, name), ...set], {
    stdio: "inherit",
    env: { ...process.env, ...s3Environment(ports) },
  });
  const enough = new Promise<void>((asked) => {
    // A terminal's Ctrl-C reaches the job too, which saves and ends; a SIGTERM is passed on.
    process.on("SIGINT", () => asked());
    process.on("SIGTERM", () => {
      job.kill("SIGTERM");
      asked();
    });
  });
  const code = await exitOf(job);
  if (code === 130) return code;
  console.log("\nthe job has ended; the servers go on until Ctrl-C");
  await enough;
  return code;
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(`plume: ${describeError(error)}`);
    process.exit(error instanceof PlumeError ? error.exitCode : 1);
  },
);
