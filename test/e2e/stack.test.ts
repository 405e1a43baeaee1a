// npm run stack: the servers and a job that uses all of them, and nothing left of either.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { PORTS } from "../../deploy/stack/servers.ts";
import { ROOT } from "../../shared/root.ts";
import { readSummary } from "../../shared/summary.ts";
import { plume, scratchFolder, startPlume, tinyJob, until } from "../support/plume.ts";
import { processesOf } from "../support/processes.ts";

const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

describe("the stack", () => {
  it("trains a job with NATS, S3 and Prometheus, tells where they are, and leaves no process behind", async () => {
    using scratch = scratchFolder();
    const dir = scratch.file("stack");
    const args = ["--import", "tsx", "deploy/stack/main.ts", "--free-ports", "-f", tinyJob(scratch.path), "--dir", dir];
    const stack = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, PLUME_AUTO: "wasm" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [stack.stdout, stack.stderr])
      stream.on("data", (chunk: Buffer) => {
        said += chunk;
      });
    const ended = new Promise<number | null>((resolve) => stack.once("exit", resolve));
    await until(`the end of the job\n${said}`, () => said.includes("the job has ended") || stack.exitCode !== null, 90);
    expect(said).toContain("weights sha256");

    const address = (name: string) => new RegExp(`${name} +(\\S+)`).exec(said)![1]!;
    const env = Object.fromEntries([...said.matchAll(/(AWS_\w+)=(\S+)/g)].map(([, key, value]) => [key!, value!]));
    const listed = await startPlume(["checkpoints", "ls", "s3://plume/tiny", "--json"], { env }).finished;
    expect(listed.code, listed.stderr).toBe(0);
    expect(JSON.stringify(JSON.parse(listed.stdout))).toContain('"step":8');
    const events = await plume("ctl", "events", "--nats", address("NATS"), "--job", "tiny", "--json");
    expect(events.stdout).toContain('"outcome":"complete"');
    const rules = await (await fetch(`${address("Prometheus")}/api/v1/rules`)).json();
    expect(JSON.stringify(rules)).toContain("PlumeStalled");
    expect(readSummary(join(dir, "tiny/summary.json"))).toMatchObject({ outcome: "complete", checkpoint: 8 });

    const running = processesOf(dir).map(({ args }) => basename(args[0]!));
    expect(running.sort()).toEqual(["nats-server", "node", "prometheus", "versitygw"]);
    stack.kill("SIGINT");
    expect(await ended).toBe(0);
    expect(processesOf(dir)).toEqual([]);
  });

  it("has in compose.yaml the ports of npm run stack and the versions of the setup scripts", () => {
    const { services } = parse(read("deploy/compose.yaml")) as {
      services: Record<string, { image: string; ports?: string[]; command?: string[] }>;
    };
    const version = (script: string, pattern: RegExp) => pattern.exec(read(`deploy/services/${script}`))![1]!;
    expect(services.nats!.image).toBe(`nats:${version("setup-nats.sh", /v(\d+\.\d+\.\d+)/)}`);
    expect(services.s3!.image).toBe(`versity/versitygw:v${version("setup-s3.sh", /v(\d+\.\d+\.\d+)/)}`);
    expect(services.prometheus!.image).toBe(
      `prom/prometheus:v${version("setup-prometheus.sh", /Prometheus (3\.\d+\.\d+)/)}`,
    );
    expect(services.nats!.ports).toEqual([`127.0.0.1:${PORTS.nats}:${PORTS.nats}`]);
    expect(services.s3!.ports).toEqual([`127.0.0.1:${PORTS.s3}:${PORTS.s3}`]);
    expect(services.prometheus!.command).toContain(`--web.listen-address=127.0.0.1:${PORTS.prometheus}`);
    expect(read("deploy/prometheus/prometheus.yml")).toContain(`http://127.0.0.1:${PORTS.page}/targets`);
    expect(read("deploy/grafana/provisioning/datasources/prometheus.yaml")).toContain(`prometheus:${PORTS.prometheus}`);
  });
});
