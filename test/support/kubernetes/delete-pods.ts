// Pods that go, while their successors come under the same names.

import { expect } from "vitest";

/**
 * kubectl's own waiting for the end may miss it where a successor of the same name is there at once, and then waits for ever.
 * @param which names, or --all. @throws where one is still there after as long as a busy machine needs.
 */
export async function deletePods(
  kubectl: (...args: string[]) => Promise<string>,
  which: readonly string[],
  ...more: readonly string[]
): Promise<void> {
  const uids = async () => (await kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}")).split(" ");
  const named = which.includes("--all") ? ["pods"] : which.map((name) => `pod/${name}`);
  const going = (await kubectl("get", ...named, "-o", "jsonpath={range .items[*]}{.metadata.uid} {end}{.metadata.uid}"))
    .trim()
    .split(" ");
  await kubectl("delete", "pod", ...which, "--wait=false", ...more);
  await expect.poll(async () => (await uids()).filter((uid) => going.includes(uid)), { timeout: 90_000 }).toEqual([]);
}
