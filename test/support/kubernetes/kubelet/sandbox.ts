// What a pod's containers share: a network with an address on the cluster's, a host name, and file systems in memory. All of it
// belongs to one process, and is gone with it.

import { spawn, spawnSync } from "node:child_process";
import { type Network, SWITCH } from "./network.ts";

export interface Sandbox {
  /** Of the process whose namespaces they are; once they can be entered. */
  readonly pid: Promise<number>;
  /** Off: its network is not reached and reaches nobody, and everything in it goes on. */
  connect(on: boolean): void;
  /** SIGKILL. */
  kill(): void;
}

export interface SandboxOptions {
  readonly network: Pick<Network, "pid" | "address" | "egress">;
  readonly ip: string;
  readonly hostname: string;
  readonly memory: readonly MemoryVolume[];
}

export interface MemoryVolume {
  readonly path: string;
  /** Bytes, or a part of this machine's memory: "50%". */
  readonly size: string;
  readonly gid: number;
}

/** Arguments in the order of `shift`. The other end of the pod's link is at the switch. */
const SET_UP = `set -e
switch=$1 gateway=$2 address=$3 link=$4 name=$5 egress=$6; shift 6
hostname "$name"
ip -batch - <<EOF
link set lo up
link add eth0 type veth peer name $link netns $switch
addr add $address/16 dev eth0
link set eth0 up
route add default via $gateway
EOF
[ -z "$egress" ] || tc qdisc add dev eth0 root tbf rate "$egress" burst 64kb latency 1s
nsenter --target "$switch" --net ip link set "$link" master ${SWITCH} up
while [ $# -gt 0 ]; do
  mkdir -p "$1"
  mount -t tmpfs -o "size=$2,gid=$3,mode=2777" memory "$1"
  shift 3
done
echo ready
exec sleep infinity`;

export function startSandbox({ network, ip, hostname, memory }: SandboxOptions): Sandbox {
  const isolated = ["unshare", "--net", "--uts", "--ipc", "--mount", "--", "bash", "-c", SET_UP, "bash"];
  const [, , high, low] = ip.split(".");
  const link = `pod${256 * Number(high) + Number(low)}`;
  const facts = [network.pid, network.address, ip, link, hostname, network.egress];
  const volumes = memory.flatMap(({ path, size, gid }) => [path, size, gid]);
  const args = ["--pdeathsig", "KILL", "--", ...isolated, ...[...facts, ...volumes].map(String)];
  const child = spawn("setpriv", args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  const pid = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.stdout.once("data", () => resolve(child.pid!));
    child.on("close", () => reject(new Error(`the network of pod ${hostname} cannot be made, or is gone: ${said}`)));
  });
  pid.catch(() => {}); // told to whoever enters
  const atSwitch = ["--target", `${network.pid}`, "--net", "ip", "link", "set", link];
  return {
    pid,
    connect: (on) => void spawnSync("nsenter", [...atSwitch, on ? "up" : "down"]),
    kill: () => void child.kill("SIGKILL"),
  };
}
