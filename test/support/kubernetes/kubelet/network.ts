// A network of this machine alone: a switch, this machine's link to it, and addresses for pods. Nothing is forwarded: who is on it
// reaches this machine and one another. The switch is in a namespace of its own, where this machine's packet filter does not reach,
// and which belongs to one process: all of it is gone with this process, however that ends.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { PlumeError } from "../../../../shared/errors.ts";

export interface Network extends Disposable {
  /** Of the process in whose namespace the switch is. */
  readonly pid: number;
  /** This machine's link to it. */
  readonly link: string;
  /** This machine's, as pods reach it. */
  readonly address: string;
  /** What a pod may send a second, in tc's words: 16mbit. Empty where nothing but the machine bounds it. */
  readonly egress: string;
  /** For a pod. */
  next(): string;
}

/** The bridge's name in its namespace. */
export const SWITCH = "switch";
const FIRST_RANGE = 130;
const LAST_RANGE = 199;

const SET_UP = `set -e
parent=$1 link=$2 address=$3
ip -batch - <<EOF
link add ${SWITCH} type bridge
link add uplink type veth peer name $link netns $parent
link set uplink master ${SWITCH}
link set uplink up
link set ${SWITCH} up
EOF
nsenter --target "$parent" --net ip -batch - <<EOF
addr add $address/16 dev $link
link set $link up
EOF
echo ready
exec sleep infinity`;

/** @throws PlumeError FAILED_PRECONDITION where networks cannot be made: who runs this is not root. */
export async function createNetwork(egress = ""): Promise<Network> {
  for (let range = FIRST_RANGE; range <= LAST_RANGE; range++) {
    const link = `plume${range}`;
    const address = `10.${range}.0.1`;
    if (isRouted(`10.${range}.0.0/16`)) continue;
    const made = await startSwitch(link, address);
    // Of two processes that want a name one gets it.
    if (typeof made === "string" && /File exists/.test(made)) continue;
    if (typeof made === "string") throw cannot(made);
    let count = 1;
    return {
      pid: made.pid!,
      link,
      address,
      egress,
      next() {
        count++;
        return `10.${range}.${count >> 8}.${count & 255}`;
      },
      [Symbol.dispose]: () => void made.kill("SIGKILL"),
    };
  }
  throw cannot("no range of addresses is free");
}

const cannot = (why: string): PlumeError =>
  new PlumeError("FAILED_PRECONDITION", `no network for pods can be made: ${why}`, {
    remedy: "run the tests of Kubernetes as root, with iproute2",
  });

/** @returns what is wrong, where there is none. */
function startSwitch(link: string, address: string): Promise<ChildProcess | string> {
  const facts = [`${process.pid}`, link, address];
  const isolated = ["unshare", "--net", "--", "bash", "-c", SET_UP, "bash", ...facts];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...isolated], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  return new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.stdout.once("data", () => resolve(child));
    child.on("close", () => resolve(said.trim()));
  });
}

function isRouted(range: string): boolean {
  const { stdout } = spawnSync("ip", ["-4", "route", "show", "table", "all", "root", range], { encoding: "utf8" });
  return stdout?.trim() !== "";
}
