// A network of this machine alone: a bridge, this machine's address on it, and addresses for pods. Nothing is forwarded: who is on
// it reaches this machine and one another. A process that was killed leaves its bridge; the next one takes it away.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { PlumeError } from "../../../../shared/errors.ts";

export interface Network extends Disposable {
  readonly bridge: string;
  /** This machine's, as pods reach it. */
  readonly address: string;
  /** For a pod. */
  next(): string;
}

const LINKS = "/sys/class/net";
const FIRST_RANGE = 130;
const LAST_RANGE = 199;

/** @throws PlumeError FAILED_PRECONDITION where networks cannot be made: who runs this is not root. */
export function createNetwork(): Network {
  for (const bridge of readdirSync(LINKS).filter(isAbandoned)) ip([`link del ${bridge}`]);
  for (let range = FIRST_RANGE; range <= LAST_RANGE; range++) {
    const bridge = `plume${range}`;
    const address = `10.${range}.0.1`;
    if (isRouted(`10.${range}.0.0/16`)) continue;
    // Of two processes that want a name one gets it, by the first line.
    const failure = ip([
      `link add ${bridge} type bridge`,
      `link set ${bridge} alias ${ownerOf(process.pid)}`,
      `addr add ${address}/16 dev ${bridge}`,
      `link set ${bridge} up`,
    ]);
    if (failure !== null && /File exists/.test(failure)) continue;
    if (failure !== null) throw cannot(failure);
    let count = 1;
    return {
      bridge,
      address,
      next() {
        count++;
        return `10.${range}.${count >> 8}.${count & 255}`;
      },
      [Symbol.dispose]: () => void ip([`link del ${bridge}`]),
    };
  }
  throw cannot("no range of addresses is free");
}

const cannot = (why: string): PlumeError =>
  new PlumeError("FAILED_PRECONDITION", `no network for pods can be made: ${why}`, {
    remedy: "run the tests of Kubernetes as root, with iproute2",
  });

/** @returns what is wrong. */
function ip(commands: readonly string[]): string | null {
  const { status, stderr, error } = spawnSync("ip", ["-batch", "-"], { input: commands.join("\n"), encoding: "utf8" });
  if (error) return error.message;
  return status === 0 ? null : stderr.trim();
}

function isRouted(range: string): boolean {
  const { stdout } = spawnSync("ip", ["-4", "route", "show", "table", "all", "root", range], { encoding: "utf8" });
  return stdout?.trim() !== "";
}

/** A process, told from a later one of the same number. */
function ownerOf(pid: number | string): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" ? "nobody" : `plume-test-${pid}-${rest[18]}`;
  } catch {
    return "nobody"; // gone
  }
}

function isAbandoned(link: string): boolean {
  if (!/^plume\d+$/.test(link)) return false;
  try {
    const alias = readFileSync(`${LINKS}/${link}/ifalias`, "utf8").trim();
    const pid = /^plume-test-(\d+)-\d+$/.exec(alias)?.[1];
    return pid !== undefined && ownerOf(pid) !== alias; // without an alias it is being made
  } catch {
    return false; // gone since it was listed
  }
}
