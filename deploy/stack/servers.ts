// The servers of the stack: where each listens, what starts it, how one sees that it is ready.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { cacheFolder } from "../../shared/cache-folder.ts";
import { sleep } from "../../shared/clock.ts";
import { PlumeError } from "../../shared/errors.ts";
import { ROOT } from "../../shared/root.ts";

/** Where things are, here and in compose.yaml; `page` is the job's, with its metrics. */
export const PORTS = { nats: 4222, s3: 7070, prometheus: 9090, page: 9464 } as const;
export type Ports = { readonly [K in keyof typeof PORTS]: number };

/** Of a server that only this machine can reach. */
const S3_KEY = "plume";
const S3_SECRET = "plume-on-loopback";
export const BUCKET = "plume";
const REGION = "us-east-1";

const READY_MS = 30_000;
const LEAVE_MS = 5_000;

interface ServerPlan {
  readonly name: string;
  /** In plume's cache. */
  readonly binary: string;
  readonly setup: string;
  readonly port: number;
  readonly args: readonly string[];
}

/** What a process finds the S3 server by. */
export const s3Environment = ({ s3 }: Ports) => ({
  AWS_ACCESS_KEY_ID: S3_KEY,
  AWS_SECRET_ACCESS_KEY: S3_SECRET,
  AWS_REGION: REGION,
  AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${s3}`,
});

function plans(folder: string, ports: Ports): readonly ServerPlan[] {
  const at = (port: number) => `127.0.0.1:${port}`;
  const inFolder = (name: string) => {
    mkdirSync(join(folder, name), { recursive: true });
    return join(folder, name);
  };
  inFolder(join("s3", BUCKET)); // a bucket is a folder
  return [
    {
      name: "nats",
      binary: "nats-server/current/nats-server",
      setup: "setup:nats",
      port: ports.nats,
      args: ["-js", "-sd", inFolder("nats"), "-a", "127.0.0.1", "-p", String(ports.nats)],
    },
    {
      name: "s3",
      binary: "versitygw/current/versitygw",
      setup: "setup:s3",
      port: ports.s3,
      args: [
        ...["--port", at(ports.s3), "--access", S3_KEY, "--secret", S3_SECRET],
        ...["--iam-dir", inFolder("s3-iam"), "--keep-alive", "--quiet", "posix", inFolder("s3")],
      ],
    },
    {
      name: "prometheus",
      binary: "prometheus/current/prometheus",
      setup: "setup:prometheus",
      port: ports.prometheus,
      args: [
        ...["--config.file", prometheusConfig(inFolder("prometheus"), ports)],
        ...["--storage.tsdb.path", join(inFolder("prometheus"), "data")],
        ...["--web.listen-address", at(ports.prometheus)],
      ],
    },
  ];
}

/** plume's configuration with its rules, for a job that may be on another port. @returns the file. */
function prometheusConfig(folder: string, { page }: Ports): string {
  const source = join(ROOT, "deploy/prometheus");
  for (const name of readdirSync(source))
    if (name.endsWith(".yml")) copyFileSync(join(source, name), join(folder, name));
  const file = join(folder, "prometheus.yml");
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(`:${PORTS.page}/`, `:${page}/`));
  return file;
}

/** Starts all of them; `folder` gets their data and logs. @throws PlumeError when one is not set up or does not start. */
export async function startServers(folder: string, ports: Ports): Promise<AsyncDisposable> {
  const running: ChildProcess[] = [];
  const stop = async () => {
    await Promise.all(running.map(ended));
  };
  try {
    const servers = plans(folder, ports);
    for (const plan of servers) running.push(startServer(folder, plan));
    await Promise.all(servers.map((plan, i) => answers(plan, running[i]!, folder)));
  } catch (error) {
    await stop();
    throw error;
  }
  return { [Symbol.asyncDispose]: stop };
}

function startServer(folder: string, { name, binary, setup, args }: ServerPlan): ChildProcess {
  const file = cacheFolder(binary);
  if (!existsSync(file))
    throw new PlumeError("FAILED_PRECONDITION", `${name} is not in ${file}`, { remedy: `npm run ${setup}` });
  const log = openSync(join(folder, `${name}.log`), "a");
  // A group of its own: a Ctrl-C ends the job first.
  return spawn(file, args, { stdio: ["ignore", log, log], detached: true });
}

async function answers({ name, port }: ServerPlan, child: ChildProcess, folder: string): Promise<void> {
  for (const end = Date.now() + READY_MS; ; await sleep(50)) {
    if (await listens(port)) return;
    const over = child.exitCode !== null || child.signalCode !== null;
    if (over || Date.now() > end)
      throw new PlumeError(
        "UNAVAILABLE",
        `${name} ${over ? "ended at once" : `is not ready after ${READY_MS / 1000} s`}`,
        {
          remedy: `see ${join(folder, `${name}.log`)}`,
        },
      );
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), LEAVE_MS);
  await gone;
  clearTimeout(late);
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });

/** The usual ports, each a free one instead where it is taken, or where any free one is asked for. */
export async function choosePorts(anyFree: boolean): Promise<Ports> {
  const chosen = { ...PORTS } as { -readonly [K in keyof Ports]: number };
  for (const key of Object.keys(PORTS) as (keyof Ports)[])
    chosen[key] = (anyFree ? null : await tryPort(PORTS[key])) ?? (await tryPort(0))!;
  return chosen;
}

/** @returns the port, or null when it is taken. */
async function tryPort(port: number): Promise<number | null> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  const free = await once(server, "listening").catch(() => null);
  if (!free) return null;
  const { port: taken } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return taken;
}
