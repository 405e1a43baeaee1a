// The house rules that a program can hold: which folder's code may import which, never in a circle, and how long a file may
// be. Run by `npm run check`; exits 1 and names the file that breaks a rule.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Files directly in shared/: they import nothing of ours but each other. */
const LEAVES = [
  "shared/bell.ts",
  "shared/cache-folder.ts",
  "shared/errors.ts",
  "shared/parallel.ts",
  "shared/ids.ts",
  "shared/clock.ts",
  "shared/counted.ts",
  "shared/invariant.ts",
  "shared/version.ts",
  "shared/listen-host.ts",
  "shared/log.ts",
  "shared/median.ts",
  "shared/nearest-word.ts",
  "shared/options.ts",
  "shared/spread.ts",
  "shared/secrets.ts",
  "shared/supervision.ts",
  "shared/restart.ts",
  "shared/root.ts",
  "shared/requests.ts",
  "shared/summary.ts",
  "shared/ndjson.ts",
];

/** Folder to the folders its code may import, beside itself and the leaves. The longest matching prefix counts. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(LEAVES.map((leaf) => [leaf, []])),
  "proto/gen": [],
  "shared/rng": [],
  "shared/tensor": [],
  "shared/augmentation": ["shared/rng"],
  "shared/kernels": ["shared/tensor", "shared/optim", "shared/wire"],
  "shared/wire": ["shared/tensor", "shared/rng"],
  "shared/optim": ["shared/rng"],
  // The tables whose entries a job may name.
  "shared/config": [
    "shared/backends/backend.ts",
    "shared/data/sources",
    "shared/data/order.ts",
    "shared/diffusion/grids.ts",
    "shared/diffusion/parameterization.ts",
    "shared/diffusion/processes",
    "shared/diffusion/thresholds.ts",
    "shared/models/index.ts",
    "shared/models/kind.ts",
    "shared/objectives/index.ts",
    "shared/objectives/objective.ts",
    "shared/objectives/adversarial/index.ts",
    "shared/optim/optimizers.ts",
    "shared/samplers/index.ts",
    "shared/wire/index.ts",
  ],
  "shared/nn": ["shared/tensor", "shared/rng"],
  "shared/diffusion": ["shared/tensor", "shared/rng"],
  "shared/samplers": ["shared/diffusion", "shared/nn", "shared/rng"],
  "shared/frozen": [
    "shared/config",
    "shared/data/sources",
    "shared/interop",
    "shared/models",
    "shared/pipeline",
    "shared/tensor",
    "shared/text",
  ],
  "shared/stages": [
    "shared/checkpoint",
    "shared/config",
    "shared/data",
    "shared/frozen",
    "shared/interop",
    "shared/models",
  ],
  "shared/guidance": ["shared/diffusion", "shared/nn", "shared/samplers"],
  "shared/objectives": ["shared/diffusion", "shared/nn", "shared/rng"],
  "shared/models": [
    "shared/augmentation",
    "shared/diffusion",
    "shared/nn",
    "shared/rng",
    "shared/scenes",
    "shared/tensor",
  ],
  "shared/backends": ["shared/tensor", "shared/nn", "shared/kernels"],
  "shared/scenes": ["shared/rng"],
  "shared/data": ["shared/rng", "shared/scenes", "shared/store"],
  "shared/store": [],
  "shared/text": ["shared/checkpoint", "shared/nn", "shared/rng", "shared/store"],
  "shared/interop": [
    "shared/checkpoint",
    "shared/config",
    "shared/data",
    "shared/diffusion",
    "shared/models",
    "shared/nn",
    "shared/optim",
    "shared/pipeline",
    "shared/scenes",
    "shared/store",
    "shared/tensor",
  ],
  "shared/checkpoint": ["shared/store", "shared/tensor", "shared/config", "shared/data", "shared/ledger"],
  "shared/ledger": ["shared/data"],
  "shared/bus": [],
  "shared/control": ["shared/bus"],
  "shared/http": [],
  "shared/metrics": ["shared/bus", "shared/config", "shared/control", "shared/http", "shared/optim"],
  "shared/nats": ["shared/bus", "shared/control"],
  // What a run leaves is read by whoever tells of it.
  "shared/report": ["shared/bus", "shared/config", "shared/ledger", "shared/run-lock"],
  "shared/tracing": [],
  "shared/run-lock": [],
  "shared/rpc": ["shared/bus", "shared/control", "shared/rng", "shared/tensor", "proto/gen"],
  "shared/pipeline": [
    "shared/augmentation",
    "shared/checkpoint",
    "shared/config",
    "shared/data",
    "shared/diffusion",
    "shared/guidance",
    "shared/models",
    "shared/kernels",
    "shared/nn",
    "shared/objectives",
    "shared/optim",
    "shared/rng",
    "shared/samplers",
    "shared/scenes",
    "shared/store",
    "shared/tensor",
    "shared/text",
    "shared/wire",
  ],
  "shared/editing": ["shared/data", "shared/diffusion", "shared/pipeline", "shared/rng", "shared/samplers"],
  "shared/eval": ["shared"],
  "coordinator/accounting": ["shared/bus"],
  "coordinator/autoscale": ["shared/bus", "shared/config"],
  "coordinator/aggregation": ["shared/kernels", "shared/tensor"],
  "coordinator/checkpointing": [
    "shared/checkpoint",
    "shared/config",
    "shared/data",
    "shared/kernels",
    "shared/pipeline",
    "shared/store",
    "shared/tensor",
  ],
  "coordinator/cluster": ["shared/bus", "shared/config", "shared/run-lock"],
  "coordinator/control": [
    "shared/bus",
    "shared/config",
    "shared/control",
    "coordinator/accounting",
    "coordinator/reporting",
  ],
  "coordinator/files": ["shared/bus", "shared/config", "shared/data", "shared/rpc"],
  "coordinator/membership": ["shared/bus"],
  "coordinator/planner": ["shared/tensor", "coordinator/aggregation"],
  "coordinator/reporting": ["shared", "coordinator/accounting", "coordinator/aggregation", "coordinator/membership"],
  "coordinator/rpc": [
    "shared",
    "proto/gen",
    "coordinator/aggregation",
    "coordinator/control",
    "coordinator/membership",
    "coordinator/reporting",
    "coordinator/dispatcher.ts",
  ],
  "coordinator/reducers": ["shared", "proto/gen", "coordinator/rpc"],
  "coordinator/training": [
    "shared",
    "coordinator/aggregation",
    "coordinator/checkpointing",
    "coordinator/control",
    "coordinator/files",
    "coordinator/reporting",
    "coordinator/dispatcher.ts",
  ],
  // Where rounds, members and plans meet.
  "coordinator/dispatcher.ts": [
    "shared",
    "proto/gen",
    "coordinator/aggregation",
    "coordinator/membership",
    "coordinator/planner",
    "coordinator/reporting",
  ],
  // What the page and its server say to each other, for both of them.
  "coordinator/http/api.ts": ["shared"],
  "coordinator/http": ["shared", "coordinator/control", "coordinator/onlooker.ts", "coordinator/ui/build.mjs"],
  "coordinator/ui": ["shared/bus", "shared/http/images-api.ts", "coordinator/http/api.ts"],
  // What whoever watches gets; the wires are theirs.
  "coordinator/onlooker.ts": ["shared", "coordinator/control"],
  "coordinator/metrics": ["shared", "coordinator/onlooker.ts"],
  // Whoever puts a coordinator together knows its parts; no part knows them.
  "coordinator/opening": ["shared", "coordinator"],
  "coordinator/services.ts": ["shared", "coordinator"],
  "coordinator/nats": ["shared", "coordinator/control", "coordinator/onlooker.ts"],
  "coordinator/main.ts": [
    "shared",
    "coordinator/accounting",
    "coordinator/cluster",
    "coordinator/http",
    "coordinator/metrics",
    "coordinator/nats",
    "coordinator/services.ts",
  ],
  // The command line is the user's hand: it talks to a coordinator, it does not reach into one.
  "coordinator/cli": ["shared", "proto/gen", "coordinator/ui/build.mjs", "k8s/render"],
  worker: ["shared", "proto/gen"],
  deploy: ["shared"],
  // The image holds the bundle that the command line would make.
  "deploy/docker": ["shared", "coordinator/cli/bundle.mjs"],
  "k8s/render": ["shared/config"],
  "k8s/components": [],
  "k8s/crd": ["shared/bus", "shared/config", "shared/stages"],
  "k8s/operator": ["shared", "k8s/crd", "k8s/render"],
  test: ["shared", "proto/gen", "coordinator", "worker", "deploy", "k8s"],
};

const isWithin = (file: string, folder: string): boolean => file === folder || file.startsWith(`${folder}/`);

function roomOf(file: string): string | undefined {
  return Object.keys(MAY_IMPORT)
    .filter((folder) => isWithin(file, folder))
    .sort((a, b) => b.length - a.length)[0];
}

/** Rooms that a room's code imports. */
const arrows = new Map<string, Set<string>>();

function faultsOf(file: string, source: string): string[] {
  const room = roomOf(file);
  if (room === undefined) return [`${file} is in no room of test/support/rooms.ts`];
  const faults: string[] = [];
  for (const [, specifier] of source.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g)) {
    const target = relative(ROOT, resolve(ROOT, dirname(file), specifier!))
      .split(sep)
      .join("/");
    if (LEAVES.includes(target) || isWithin(target, room)) {
      continue;
    }
    const isNamed = MAY_IMPORT[room]!.includes(target);
    if (isWithin(target, "coordinator/cli") && !isNamed && !room.startsWith("test"))
      faults.push(`${file} imports ${target}: nobody knows the command line`);
    if (!room.startsWith("test")) arrows.set(room, (arrows.get(room) ?? new Set()).add(roomOf(target) ?? target));
    if (!MAY_IMPORT[room]!.some((folder) => isWithin(target, folder)))
      faults.push(`${file} imports ${target}: ${room} may not`);
  }
  return faults;
}

/** The rooms of a circle that begins at the last of `path`, if there is one. */
function circleFrom(path: readonly string[]): readonly string[] | null {
  const last = path.at(-1)!;
  for (const next of arrows.get(last) ?? []) {
    if (path.includes(next)) return [...path.slice(path.indexOf(next)), next];
    const circle = circleFrom([...path, next]);
    if (circle) return circle;
  }
  return null;
}

const LONGEST_FILE = 400;

function tooLong(file: string, source: string): string[] {
  const lines = source.split("\n").length - 1;
  return lines > LONGEST_FILE
    ? [`${file} has ${lines} lines, more than ${LONGEST_FILE}: look for its second concept`]
    : [];
}

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (path !== "proto/gen") yield* sources(path);
    } else if (/\.(ts|mjs)$/.test(entry.name)) yield path;
  }
}

const faults = ["shared", "coordinator", "worker", "deploy", "k8s", "test"].flatMap((folder) =>
  [...sources(folder)].flatMap((file) => {
    const source = readFileSync(join(ROOT, file), "utf8");
    return [...faultsOf(file, source), ...tooLong(file, source)];
  }),
);
const circle = [...arrows.keys()].map((room) => circleFrom([room])).find(Boolean);
if (circle) faults.push(`rooms in a circle: ${circle.join(" -> ")}`);
for (const fault of faults) console.log(fault);
process.exitCode = faults.length > 0 ? 1 : 0;
