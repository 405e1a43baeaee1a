// The image's root file system, and processes in it as a container runs them: chrooted, read-only, as the image's user, with
// nothing of this process's environment. Needs root.

import type { ChildProcess } from "node:child_process";
import { chownSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { bundled } from "../../coordinator/cli/bundle.mjs";
import { buildRootfs } from "../../deploy/docker/build.ts";
import { ROOT } from "../../shared/root.ts";
import { enterContainer, IMAGE_USER } from "./container.ts";
import { scratchFolder } from "./plume.ts";

/** The root file system of these sources. Built once, and never changed: whoever runs from it may go on when sources change. */
export async function imageRootfs(): Promise<string> {
  const folder = join(ROOT, "node_modules/.cache/plume-image", basename(await bundled({}, ["deploy/docker"])));
  if (existsSync(folder)) return folder;
  const partial = `${folder}.${process.pid}.whole`;
  await buildRootfs(partial, "wasm");
  try {
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error; // another process was quicker
  }
  return folder;
}

/** @param state what the container sees as /var/lib/plume, which must belong to its user. */
export function startInImage(root: string, state: string, command: readonly string[]): ChildProcess {
  const scratch = scratchFolder();
  mkdirSync(scratch.file("tmp"));
  chownSync(scratch.file("tmp"), IMAGE_USER, IMAGE_USER);
  const child = enterContainer(
    {
      image: root,
      command,
      environment: {},
      mounts: [
        { from: scratch.file("tmp"), to: "/tmp", readOnly: false },
        { from: state, to: "/var/lib/plume", readOnly: false },
      ],
      uid: IMAGE_USER,
      gid: IMAGE_USER,
      groups: [IMAGE_USER],
      workingDir: "/var/lib/plume",
      readOnlyRoot: true,
      folder: scratch.path,
    },
    ["ignore", "pipe", "pipe"],
  );
  child.once("close", () => scratch[Symbol.dispose]());
  return child;
}
