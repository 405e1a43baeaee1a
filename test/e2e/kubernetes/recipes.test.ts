// k8s/README.md as a person types it: every line that is marked there as run is run here, in its order, on a real API server,
// with the operator as pods of its Deployment; and each leads to what the document says.

import { afterAll, beforeAll, expect, it } from "vitest";
import { imageRootfs } from "../../support/image.ts";
import { type Cluster, startCluster } from "../../support/kubernetes/cluster.ts";
import { recipeLines } from "../../support/recipes.ts";

const SLOW = { timeout: 120_000 };
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ images: { "plume:0.1.0": await imageRootfs() }, egress: "16mbit" });
}, 240_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const kubectl = (...args: string[]) => cluster.kubectl(["-n", "training", ...args]);
const status = async () => JSON.parse(await kubectl("get", "dj/first", "-o", "json")).status ?? {};
const pods = () => kubectl("get", "pods", "-l", "app.kubernetes.io/instance=first", "--no-headers");
const ready = (workers: number) =>
  expect.poll(async () => (await pods()).match(/worker-\d+ +1\/1 +Running/g)?.length, SLOW).toBe(workers);
/** So that the job neither ends before it was looked at, nor is waited for longer than that. */
const lasts = (steps: number) =>
  kubectl("patch", "dj/first", "--type=merge", "-p", JSON.stringify({ spec: { training: { steps } } }));

/** What each line leads to, by its beginning. */
const OUTCOMES: readonly (readonly [string, (said: string) => Promise<unknown>])[] = [
  ["kubectl create namespace", async (said) => expect(said).toContain("training created")],
  ["kubectl apply -f k8s/crd", async (said) => expect(said).toContain("diffusionjobs.plume.dev created")],
  [
    "kubectl apply -n training -k k8s/operator",
    () => kubectl("rollout", "status", "deployment/plume-operator", "--timeout=2m"),
  ],
  [
    "kubectl apply -n training -f deploy/jobs",
    async () => {
      // A set does not replace a pod that was never ready.
      await expect.poll(pods, SLOW).toMatch(/first-coordinator-0 +1\/1 +Running/);
      await lasts(1_000_000);
      await expect.poll(async () => (await status()).step, SLOW).toBeGreaterThan(0);
      await ready(2);
    },
  ],
  ["kubectl scale", () => ready(4)],
  [
    "kubectl describe",
    async (said) => {
      for (const word of ["Conditions:", "Launched", "Scaling"]) expect(said).toContain(word);
    },
  ],
  ["kubectl get -n training dj/first -o jsonpath", async (said) => expect(JSON.parse(said).length).toBeGreaterThan(5)],
  ["kubectl logs -n training first-coordinator-0", async (said) => expect(said).toContain('"role":"coordinator"')],
  ["kubectl logs -n training -l", async (said) => expect(said).toContain("[pod/first-worker-0/worker] {")],
  ["kubectl delete pod", () => ready(4)],
  [
    'kubectl patch -n training dj/first --type=merge -p \'{"spec":{"suspend":true}}\'',
    async (said) => expect(said).toContain("patched"),
  ],
  [
    "kubectl wait -n training dj/first --for=condition=Suspended",
    async () => {
      const { phase, checkpoint } = await status();
      expect(phase).toBe("Suspended");
      await expect.poll(pods, SLOW).toBe("");
      await lasts(checkpoint.step + 20);
    },
  ],
  [
    'kubectl patch -n training dj/first --type=merge -p \'{"spec":{"suspend":false}}\'',
    async (said) => expect(said).toContain("patched"),
  ],
  [
    "kubectl wait -n training dj/first --for=condition=Complete",
    async () => {
      const { phase, step, steps, weightsSha256 } = await status();
      expect({ phase, step }).toEqual({ phase: "Complete", step: steps });
      expect(weightsSha256).toMatch(/^[0-9a-f]{64}$/);
      await expect.poll(pods, SLOW).not.toContain("worker");
    },
  ],
  ["kubectl delete -n training dj/first", () => expect.poll(pods, SLOW).toBe("")],
  ["kubectl delete -n training pvc", async (said) => expect(said).toContain('"run-first-coordinator-0" deleted')],
];

it("each line that is said to be run does what the document says", async () => {
  const lines = recipeLines("k8s/README.md").filter(({ isRun }) => isRun);
  const left = new Set(OUTCOMES);
  for (const { at, text, commands } of lines) {
    const outcome = OUTCOMES.find((each) => left.has(each) && text.startsWith(each[0]));
    expect(outcome, `${at} has an outcome: ${text}`).toBeDefined();
    left.delete(outcome!);
    await outcome![1](await cluster.kubectl(commands[0]!.slice(1)));
  }
  expect([...left].map(([line]) => line)).toEqual([]);
}, 600_000);
