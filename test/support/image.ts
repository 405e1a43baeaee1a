// The image's root file system, and processes in it as a container runs them: chrooted, read-only, as the image's user, with
// nothing of this process's environment. Needs root.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { bundled } from "../../coordinator/cli/bundle.mjs";
import { buildRootfs } from "../../deploy/docker/build.ts";
import { ROOT } from "../../shared/root.ts";

/** Who the processes are, and what a container runtime gives those that say nothing. */
const USER = "65532";
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

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

/** Mounts what a container gets, then becomes the command. $1 root, $2 a folder of the host for /var/lib/plume. */
const ENTER = `set -e
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
mount --bind "$2" "$1/var/lib/plume"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
root="$1"; shift 2
exec env -i PATH=${PATH} "$(command -v setpriv)" --no-new-privs \\
  "$(command -v unshare)" --root="$root" --wd=/var/lib/plume --setuid ${USER} --setgid ${USER} "$@"`;

/** @param state what the container sees as /var/lib/plume, which must belong to its user. */
export function startInImage(root: string, state: string, command: readonly string[]): ChildProcess {
  const isolated = ["--mount", "--pid", "--fork", "--kill-child"];
  return spawn("unshare", [...isolated, "sh", "-c", ENTER, "sh", root, state, ...command], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}
