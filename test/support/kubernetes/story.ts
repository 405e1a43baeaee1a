// What a cluster looked like when a test of it failed: without it, a failure on another machine says nothing of its cause.

import { afterEach } from "vitest";
import type { Cluster } from "./cluster.ts";

const WHAT = [
  ["get", "dj,sts,pods", "-o", "wide"],
  ["get", "dj", "-o", "jsonpath={range .items[*]}{.metadata.name}{': '}{.status}{'\\n'}{end}"],
  ["get", "events", "--sort-by=.lastTimestamp"],
];
/** Of each pod's log. */
const TAIL_CHARS = 4_000;

/** After each test that fails of those that follow, writes to stderr what there is in the namespace, and what its pods said. */
export function tellsFailures(where: () => { readonly cluster: Cluster; readonly namespace: string }): void {
  afterEach(async ({ task }) => {
    if (task.result?.state !== "fail") return;
    const { cluster, namespace } = where();
    const kubectl = (args: readonly string[]) =>
      cluster.kubectl(["-n", namespace, "--request-timeout=5s", ...args]).catch(String);
    const said = [];
    for (const args of WHAT) said.push(`kubectl ${args.join(" ")}\n${await kubectl(args)}`);
    for (const [pod, log] of cluster.kubelet.logs(namespace)) said.push(`log of ${pod}\n${log.slice(-TAIL_CHARS)}`);
    process.stderr.write(`\n${task.name}: what there was\n${said.join("\n")}\n`);
  });
}
