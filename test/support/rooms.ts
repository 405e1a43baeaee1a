// The arrows between rooms, made executable: which folder's code may import which. Run by `npm run check`; exits 1 and
// names the file and the import that break a rule.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Files directly in shared/: they import nothing of ours but each other. */
const LEAVES = [
  "shared/errors.ts",
  "shared/ids.ts",
  "shared/clock.ts",
  "shared/invariant.ts",
  "shared/version.ts",
  "shared/log.ts",
  "shared/supervision.ts",
  "shared/root.ts",
  "shared/requests.ts",
];

/** Folder to the folders its code may import, beside itself and the leaves. The longest matching prefix counts. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "proto/gen": [],
  shared: ["shared"],
  "shared/rng": [],
  "shared/tensor": [],
  "shared/kernels": ["shared/tensor", "shared/optim", "shared/wire"],
  "shared/wire": ["shared/tensor", "shared/rng"],
  "shared/optim": ["shared/rng"],
  // The tables whose entries a job may name.
  "shared/config": [
    "shared/backends/backend.ts",
    "shared/data/sources",
    "shared/optim/optimizers.ts",
    "shared/samplers/index.ts",
    "shared/wire/index.ts",
  ],
  "shared/nn": ["shared/tensor", "shared/rng"],
  "shared/diffusion": ["shared/tensor", "shared/rng"],
  "shared/samplers": ["shared/diffusion", "shared/nn", "shared/rng"],
  "shared/models": ["shared/diffusion", "shared/nn", "shared/tensor"],
  "shared/backends": ["shared/tensor", "shared/nn", "shared/kernels"],
  "shared/data": ["shared/rng"],
  "shared/store": [],
  "shared/checkpoint": ["shared/store", "shared/tensor", "shared/config", "shared/data"],
  "shared/ledger": ["shared/data"],
  "shared/bus": [],
  "shared/run-lock": [],
  "shared/rpc": ["shared/tensor", "proto/gen"],
  "shared/pipeline": [
    "shared/checkpoint",
    "shared/config",
    "shared/data",
    "shared/diffusion",
    "shared/models",
    "shared/kernels",
    "shared/nn",
    "shared/optim",
    "shared/rng",
    "shared/samplers",
    "shared/store",
    "shared/tensor",
    "shared/wire",
  ],
  "shared/eval": ["shared"],
  coordinator: ["shared", "proto/gen"],
  // The command line is the user's hand: it talks to a coordinator, it does not reach into one.
  "coordinator/cli": ["shared", "proto/gen"],
  worker: ["shared", "proto/gen"],
  deploy: ["shared"],
  test: ["shared", "proto/gen", "coordinator", "worker", "deploy"],
};

const isWithin = (file: string, folder: string): boolean => file === folder || file.startsWith(`${folder}/`);

function roomOf(file: string): string | undefined {
  return Object.keys(MAY_IMPORT)
    .filter((folder) => isWithin(file, folder))
    .sort((a, b) => b.length - a.length)[0];
}

export function faultsOf(file: string, source: string): string[] {
  const room = roomOf(file);
  if (room === undefined) return [`${file} is in no room of test/support/rooms.ts`];
  const faults: string[] = [];
  for (const [, specifier] of source.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g)) {
    const target = relative(ROOT, resolve(ROOT, dirname(file), specifier!))
      .split(sep)
      .join("/");
    if (LEAVES.includes(target) || isWithin(target, room)) {
      if (room === "coordinator" && isWithin(target, "coordinator/cli"))
        faults.push(`${file} imports ${target}: the coordinator does not know the command line`);
      continue;
    }
    if (!MAY_IMPORT[room]!.some((folder) => isWithin(target, folder)))
      faults.push(`${file} imports ${target}: ${room} may not`);
  }
  return faults;
}

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (entry.name !== "assembly" && entry.name !== "vectors") yield* sources(path);
    } else if (/\.(ts|mjs)$/.test(entry.name)) yield path;
  }
}

const faults = ["proto/gen", "shared", "coordinator", "worker", "deploy", "test"].flatMap((folder) =>
  [...sources(folder)].flatMap((file) => faultsOf(file, readFileSync(join(ROOT, file), "utf8"))),
);
for (const fault of faults) console.log(fault);
process.exitCode = faults.length > 0 ? 1 : 0;
