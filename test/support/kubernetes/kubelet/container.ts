// A container as a process of this machine: in its own mount and process namespaces, on the image's root file system, as the
// pod's user, without a privilege. The network is this machine's; a pod has an address of its own on it.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface ContainerOptions {
  /** Root file system of the image. */
  readonly image: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly { readonly from: string; readonly to: string; readonly readOnly: boolean }[];
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly workingDir: string;
  readonly readOnlyRoot: boolean;
  /** For the mounts' beginnings, and the log. */
  readonly folder: string;
}

export interface Container {
  /** Of the process itself, as this machine sees it; null before it is there and after its end. */
  readonly pid: number | null;
  readonly startedAt: Date;
  /** 128 + n for a signal. */
  readonly exited: Promise<number>;
  kill(signal: NodeJS.Signals): void;
  /** What it wrote. */
  readonly log: string;
}

/** Mounts what the container sees, drops what it may not have, becomes its command. Arguments in the order of `shift`. */
const ENTER = `set -e
base=$1 image=$2 readonly=$3 uid=$4 gid=$5 groups=$6 wd=$7 mounts=$8; shift 8
mount -t tmpfs -o mode=755 container "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay -o "lowerdir=$image,upperdir=$base/upper,workdir=$base/work" overlay "$base/root"
root=$base/root
mkdir -p "$root/proc" "$root/dev"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$mounts" -gt 0 ]; do
  if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root$(dirname "$2")"; [ -e "$root$2" ] || : > "$root$2"; fi
  mount --bind "$1" "$root$2"
  [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"
  shift 3; mounts=$((mounts - 1))
done
[ "$readonly" = no ] || mount -o remount,ro "$root"
exec env -i "$(command -v setpriv)" --no-new-privs --regid "$gid" --groups "$groups" -- \\
  "$(command -v unshare)" --root="$root" --wd="$wd" --setuid "$uid" -- "$@"`;

export function startContainer(options: ContainerOptions): Container {
  const { image, command, environment, mounts, uid, gid, groups, workingDir, readOnlyRoot, folder } = options;
  const base = join(folder, "root");
  mkdirSync(base, { recursive: true });
  const file = join(folder, "log");
  const output = openSync(file, "a");
  // The image has no env(1): the command's own environment goes through node's spawn, past the tools of this machine.
  const variables = Object.entries({ PATH, ...environment }).map(([name, value]) => `${name}=${value}`);
  const facts = [
    base,
    image,
    readOnlyRoot ? "yes" : "no",
    uid,
    gid,
    groups.join(",") || gid,
    workingDir,
    mounts.length,
  ];
  const bound = mounts.flatMap(({ from, to, readOnly }) => [from, to, readOnly ? "ro" : "rw"]);
  const script = ENTER.replace("env -i", 'env -i "${variables[@]}"');
  const child: ChildProcess = spawn(
    "setpriv",
    [
      ...["--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--"],
      ...["bash", "-c", `count=$1; shift; variables=("\${@:1:count}"); shift "$count"\n${script}`, "bash"],
      ...[variables.length, ...variables, ...facts, ...bound, ...command].map(String),
    ],
    { stdio: ["ignore", output, output] },
  );
  closeSync(output);
  const exited = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? (signal === "SIGKILL" ? 137 : 143)));
  });
  const inner = () => {
    try {
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
      return children === "" ? null : Number(children.split(" ")[0]);
    } catch {
      return null; // gone
    }
  };
  return {
    get pid() {
      return inner();
    },
    startedAt: new Date(),
    exited,
    kill(signal) {
      const pid = inner();
      if (pid !== null) process.kill(pid, signal);
      else child.kill("SIGKILL");
    },
    get log() {
      return readFileSync(file, "utf8");
    },
  };
}

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
