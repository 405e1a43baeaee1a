// A command as a process of this machine in a container's surroundings: in mount and process namespaces of its own, on a root
// file system that is another's, with a /dev of its own of which /dev/shm has the 64 MiB that container runtimes give, as a user
// without a privilege, with nothing of this process's environment. Needs root.

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

export interface Surroundings {
  /** The root file system below all that is mounted. */
  readonly image: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly { readonly from: string; readonly to: string; readonly readOnly: boolean }[];
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly workingDir: string;
  readonly readOnlyRoot: boolean;
  /** Its own, for the mounts' beginnings. */
  readonly folder: string;
  /** Of a process whose network, host name and mounts it has instead of this machine's. */
  readonly sandbox?: number;
}

/** Who processes of plume's image are. */
export const IMAGE_USER = 65532;
/** What a container runtime gives those that say nothing. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Mounts what the command sees, drops what it may not have, becomes it. Arguments in the order of `shift`. */
const ENTER = `set -e
number=0
count=$1; shift; variables=("\${@:1:count}"); shift "$count"
base=$1 image=$2 readonly=$3 uid=$4 gid=$5 groups=$6 wd=$7 mounts=$8; shift 8
mount -t tmpfs -o mode=755 container "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay -o "lowerdir=$image,upperdir=$base/upper,workdir=$base/work" overlay "$base/root"
root=$base/root
mkdir -p "$root/proc" "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755,size=64k dev "$root/dev"
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$root/dev"
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev shm "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for stream in stdin stdout stderr; do ln -s "/proc/self/fd/$((number++))" "$root/dev/$stream"; done
while [ "$mounts" -gt 0 ]; do
  if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root$(dirname "$2")"; [ -e "$root$2" ] || : > "$root$2"; fi
  mount --bind "$1" "$root$2"
  [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"
  shift 3; mounts=$((mounts - 1))
done
[ "$readonly" = no ] || mount -o remount,ro "$root"
exec env -i "\${variables[@]}" "$(command -v setpriv)" --no-new-privs --regid "$gid" --groups "$groups" -- \\
  "$(command -v unshare)" --root="$root" --wd="$wd" --setuid "$uid" -- "$@"`;

/** @returns the process that waits for it: the command is its only child, and dies with it, as it does with this process. */
export function enterContainer(options: Surroundings, stdio: SpawnOptions["stdio"]): ChildProcess {
  const { image, command, environment, mounts, uid, gid, groups, workingDir, readOnlyRoot, folder, sandbox } = options;
  const base = join(folder, "root");
  mkdirSync(base, { recursive: true });
  const variables = Object.entries({ PATH, ...environment }).map(([name, value]) => `${name}=${value}`);
  const facts = [base, image, readOnlyRoot ? "yes" : "no", uid, gid, groups.join(","), workingDir, mounts.length];
  const bound = mounts.flatMap(({ from, to, readOnly }) => [from, to, readOnly ? "ro" : "rw"]);
  const isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--", "bash", "-c", ENTER, "bash"];
  const args = [variables.length, ...variables, ...facts, ...bound, ...command].map(String);
  const shared =
    sandbox === undefined ? [] : ["nsenter", "--target", `${sandbox}`, "--net", "--uts", "--ipc", "--mount", "--"];
  return spawn("setpriv", ["--pdeathsig", "KILL", "--", ...shared, ...isolated, ...args], { stdio: stdio ?? "pipe" });
}
