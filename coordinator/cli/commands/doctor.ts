// plume doctor: what this machine has, and what to do about what is missing.

import { once } from "node:events";
import { accessSync, constants, statfsSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { availableParallelism, freemem, totalmem } from "node:os";
import { Command } from "commander";
import { BACKENDS } from "../../../shared/backends/index.ts";
import { localFashionMnist } from "../../../shared/data/sources/fashion-mnist.ts";
import { SHM_ROOT } from "../../../shared/rpc/shm.ts";
import { PLUME_VERSION } from "../../../shared/version.ts";
import { action, type CommandIo } from "../action.ts";
import type { Finding } from "../finding.ts";
import { natsFinding } from "../nats-finding.ts";
import { s3Finding } from "../s3-finding.ts";
import { table } from "../table.ts";

/** Node versions that the tests run on. */
const NODE_MAJORS = [20, 22, 24];

const LITTLE_DISK = 2 ** 30;

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("what this machine has, and what to do about what is missing")
    .option("--store <url>", "also whether this store can be read, for example s3://bucket/runs")
    .option("--nats <url>", "also whether this NATS server answers; NATS_URL when absent")
    .addHelpText(
      "after",
      "\nExamples:\n  plume doctor --json\n  plume doctor --store s3://bucket/runs\n  plume doctor --nats nats://nats:4222",
    )
    .action(action(doctor));
}

async function doctor(io: CommandIo, { store, nats }: { store?: string; nats?: string }): Promise<number> {
  const findings = [
    node(),
    machine(),
    disk(),
    sharedMemory(),
    await loopback(),
    ...(await backends()),
    fashionMnist(),
    await s3Finding(store),
    await natsFinding(nats),
  ];
  io.print(`plume ${PLUME_VERSION}`);
  io.print(table([["", "what", "found"], ...findings.map(({ what, state, detail }) => [state, what, detail])]));
  for (const { what, remedy } of findings) if (remedy) io.print(`  ${what}: ${remedy}`);
  io.result({ version: PLUME_VERSION, findings });
  return findings.some(({ state }) => state === "bad") ? 1 : 0;
}

function node(): Finding {
  const major = Number(process.versions.node.split(".")[0]);
  const known = NODE_MAJORS.includes(major);
  const state = major < 20 ? "bad" : known ? "ok" : "missing";
  return {
    what: "Node",
    state,
    detail: process.version,
    remedy: known ? null : `plume is tested on Node ${NODE_MAJORS.join(", ")}`,
  };
}

function machine(): Finding {
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return {
    what: "machine",
    state: "ok",
    detail: `${availableParallelism()} cores, ${gib(totalmem())} memory, ${gib(freemem())} free`,
    remedy: null,
  };
}

/** Where runs/ goes unless --out says otherwise. */
function disk(): Finding {
  const folder = process.cwd();
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    const remedy = free < LITTLE_DISK ? "a run keeps several checkpoints: free some space" : null;
    const detail = `${folder}, ${(free / 2 ** 30).toFixed(1)} GiB free`;
    return { what: "run folder", state: remedy ? "missing" : "ok", detail, remedy };
  } catch {
    const remedy = "start plume where it may write, or name a folder with --out DIR";
    return { what: "run folder", state: "missing", detail: `${folder} cannot be written`, remedy };
  }
}

/** The coordinator listens on a free port of this host, and its workers connect to it. */
async function loopback(): Promise<Finding> {
  const what = "ports";
  const server = createServer((socket) => socket.end());
  try {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.destroy();
    return { what, state: "ok", detail: "127.0.0.1 takes a free port and connects to it", remedy: null };
  } catch (error) {
    const remedy = "allow connections on the loopback interface";
    return { what, state: "bad", detail: `127.0.0.1: ${(error as Error).message}`, remedy };
  } finally {
    server.close();
  }
}

function sharedMemory(): Finding {
  try {
    accessSync(SHM_ROOT, constants.W_OK);
    const { bavail, bsize } = statfsSync(SHM_ROOT);
    return {
      what: "shared memory",
      state: "ok",
      detail: `${SHM_ROOT}, ${Math.round((bavail * bsize) / 2 ** 20)} MiB free`,
      remedy: null,
    };
  } catch {
    return {
      what: "shared memory",
      state: "missing",
      detail: `${SHM_ROOT} cannot be written`,
      remedy: "tensors travel over gRPC instead; in a container mount a tmpfs there",
    };
  }
}

async function backends(): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const backend of Object.values(BACKENDS)) {
    const reason = await backend.unavailable();
    findings.push({
      what: `backend ${backend.name}`,
      state: reason === null ? "ok" : "missing",
      detail: reason ?? "available",
      remedy: reason,
    });
  }
  if (!findings.some(({ state }) => state === "ok"))
    findings.push({ what: "backends", state: "bad", detail: "none can start", remedy: "run npm ci" });
  return findings;
}

function fashionMnist(): Finding {
  const folder = localFashionMnist("train");
  if (folder) return { what: "Fashion-MNIST", state: "ok", detail: folder, remedy: null };
  return {
    what: "Fashion-MNIST",
    state: "missing",
    detail: "not on this machine",
    remedy: "npm run setup:data installs it; else it is downloaded when needed",
  };
}
