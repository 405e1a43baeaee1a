// npm run bench:sample -- images a second by DDIM in 50 steps from the same exported weights, on one thread: every backend
// against Python's diffusers, in turn in one run.
// [--backend NAME, repeated; default: what is here] [--folder EXPORTED; default: the quickstart's network after two steps]
// [--quick] [--json FILE]

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { BackendName } from "../../shared/backends/backend.ts";
import { openBackend } from "../../shared/backends/index.ts";
import { cacheFolder } from "../../shared/cache-folder.ts";
import { loadModel } from "../../shared/interop/load-model.ts";
import { invariant } from "../../shared/invariant.ts";
import { createGenerator, gridLabels } from "../../shared/pipeline/generate.ts";
import { ROOT } from "../../shared/root.ts";
import { benchedBackends, openElsewhere, serveTurns } from "./elsewhere.ts";
import {
  COMMON_OPTIONS,
  finish,
  machineLine,
  markdownTable,
  runTorch,
  type Summary,
  spread,
  summarise,
} from "./measure.ts";

const BATCH = 16;
const STEPS = 50;
const PEER = "diffusers";

const { values: options } = parseArgs({
  options: {
    ...COMMON_OPTIONS,
    backend: { type: "string", multiple: true },
    folder: { type: "string" },
    serve: { type: "string" },
  },
});

interface Opened {
  readonly parameters: number;
}

async function serve(request: string): Promise<void> {
  const { backend: name, folder } = JSON.parse(request) as { backend: BackendName; folder: string };
  const { job, imageSet, network, layout, params, backend } = await loadModel(folder, undefined, () =>
    openBackend(name),
  );
  const image = { height: imageSet.height, width: imageSet.width, channels: imageSet.channels };
  const generate = createGenerator({ spec: job.spec, network, params, image, program: backend.program });
  const indices = Array.from({ length: BATCH }, (_, k) => k);
  const labels = gridLabels(indices, job.spec.model.classes);
  let seed = 0;
  const turn = async () => {
    const started = performance.now();
    await generate({ indices, labels, seed: seed++, sampler: "ddim", steps: STEPS, guidance: 1 });
    return performance.now() - started;
  };
  await turn();
  serveTurns({ parameters: layout.parameters } satisfies Opened, turn);
}

function plume(...args: readonly string[]): void {
  const ran = spawnSync(process.execPath, [join(ROOT, "coordinator/cli/plume.mjs"), ...args], { encoding: "utf8" });
  invariant(ran.status === 0, `plume ${args.join(" ")} ended with ${ran.status}: ${ran.stdout}${ran.stderr}`);
}

/** The quickstart's network: how well it is trained changes nothing of its speed. */
function exported(scratch: string): string {
  const [run, folder] = [join(scratch, "run"), join(scratch, "folder")];
  const few = ["--steps", "2", "--set", "sampling.count=0"];
  plume("train", "-f", join(ROOT, "deploy/jobs/fashion.yaml"), "--out", run, ...few);
  plume("checkpoints", "export", run, "-o", folder);
  return folder;
}

interface PeerResult {
  readonly diffusers: string;
  readonly parameters: number;
  readonly millis: readonly number[];
}

async function main(): Promise<void> {
  const missing = new Set<string>();
  const backends = await benchedBackends(options.backend, missing);
  const scratch = mkdtempSync(join(tmpdir(), "plume-bench-"));
  try {
    const folder = options.folder ?? exported(scratch);
    const ours = [];
    for (const backend of backends)
      ours.push({ backend, bench: await openElsewhere<Opened>(backend, { backend, folder }) });
    const millis = new Map<string, number[]>();
    const add = (name: string, values: readonly number[]) => millis.set(name, [...(millis.get(name) ?? []), ...values]);
    for (let round = 0; round < (options.quick ? 1 : 4); round++) {
      for (const { backend, bench } of ours) add(backend, await bench.turns(2));
      const python = cacheFolder("python/current/bin/python");
      const args = [folder, "--batch", String(BATCH), "--steps", String(STEPS), "--turns", "2"];
      const ran = runTorch<PeerResult>("ddim_images.py", args, {}, python);
      if ("missing" in ran) missing.add(`${ran.missing} (npm run setup:python)`);
      else add(PEER, ran.result.millis);
    }
    for (const { bench } of ours) bench.close();

    const rates = new Map<string, Summary>(
      [...millis].map(([name, values]) => [name, summarise(values.map((ms) => (BATCH * 1000) / ms))]),
    );
    console.log(`${machineLine()}\n`);
    const head = [
      `${ours[0]?.bench.opened.parameters} parameters, DDIM, ${STEPS} steps, ${BATCH} images at once`,
      "images/s",
    ];
    console.log(markdownTable([head, ...[...rates].map(([name, rate]) => [name, spread(rate, 2)])]));
    const against = (name: BackendName) => {
      const [mine, theirs] = [rates.get(name), rates.get(PEER)];
      return mine && theirs ? mine.median / theirs.median : undefined;
    };
    const ratios = Object.fromEntries(backends.map((name) => [`${name} against diffusers`, against(name)]));
    finish("sample", options.json, { ratios, results: Object.fromEntries(rates), missing: [...missing] });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

await (options.serve ? serve(options.serve) : main());
