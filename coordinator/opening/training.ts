// What is trained, on what, from where: data set, network, vectors and their content. Nothing is written here, so that a
// mistake in the job leaves no trace.

import { randomUUID } from "node:crypto";
import { join, resolve } from "node:path";
import { checkAllowed } from "../../shared/config/identity.ts";
import { loadBegun } from "../../shared/config/load.ts";
import type { JobSpec } from "../../shared/config/schema.ts";
import { describeImageSet, readCard } from "../../shared/data/card.ts";
import { checkCaptions, checkClasses } from "../../shared/data/open.ts";
import { PlumeError } from "../../shared/errors.ts";
import { withPins, withPinsOf } from "../../shared/frozen/pin.ts";
import { readFrozen } from "../../shared/frozen/read.ts";
import { stepsInLedger } from "../../shared/ledger/ledger.ts";
import { OPTIMIZERS } from "../../shared/optim/optimizers.ts";
import { readsAnyWords } from "../../shared/pipeline/captions.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { shownClasses } from "../../shared/pipeline/tiles.ts";
import { splitAddress } from "../../shared/rpc/transport.ts";
import { tokensOf } from "../../shared/scenes/tokens.ts";
import { fileStore } from "../../shared/store/file.ts";
import { checkConditionalPut } from "../../shared/store/preflight.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { openWire } from "../../shared/wire/index.ts";
import { createBuffers } from "../checkpointing/buffers.ts";
import { DATA_INDEX } from "../files/run-folder.ts";
import { openVectors } from "../reducers/vectors.ts";
import { createImportance } from "../training/importance.ts";
import { checkMemory, mebibytes } from "./memory.ts";
import type { CoordinatorOptions } from "./options.ts";
import { loadState } from "./state.ts";

/** Vectors beside params, EMA and moments: one a leaf of the tree at worst, its copies, and as many in flight. */
const spareVectors = (V: number) => 3 * V + 8;

const describe = ({ data, store }: JobSpec, indexFile: string) => describeImageSet(data, store, indexFile);

export type Training = Awaited<ReturnType<typeof openTraining>>;

export async function openTraining(options: CoordinatorOptions) {
  const { out, listen, resume, allow, recovering, onLost, openStore } = options;
  const asked = withPinsOf(options.job, resume === "never" ? null : loadBegun(out));
  const { spec } = asked;
  const warnings: string[] = [];
  const blemishes: string[] = [];
  checkAllowed(allow);
  const known = recovering ? readCard(join(out, "dataset.json")) : null;
  const described = known ? { card: known, index: null, change: null } : await describe(spec, join(out, DATA_INDEX));
  const { card: set, index: dataIndex, change: dataChange } = described;
  if (set.fallback) warnings.push(set.fallback);
  checkClasses(spec, set);
  if (!known) checkCaptions(spec, set);
  if (!readsAnyWords(spec)) tokensOf(spec.sampling.prompts ?? [], "sampling.prompts"); // an encoder's are checked with it
  const frozen = await readFrozen(spec, set);
  const job = withPins(asked, frozen);
  const network = await buildNetwork(spec, set);
  const layout = buildLayout(network.params);

  const V = spec.training.globalBatch / spec.training.microBatch;
  const { type: optimizer } = spec.training.optimizer;
  const blocks = Math.min(V, Math.max(1, spec.workers.replicas));
  const moments = OPTIMIZERS[optimizer].moments.length;
  const buffers = createBuffers(mebibytes(spec.checkpoint.bufferMiB));
  checkMemory({ vectorBytes: layout.size * 4, moments, blocks, bufferBytes: buffers.limit }, process.availableMemory());
  const vectors = await openVectors(
    { layout, optimizer, wire: openWire(spec.training, spec.seed), maxVectors: spareVectors(V) },
    { out, host: splitAddress(listen).host, count: spec.coordinator.shards, onLost },
  );

  const { reducer } = vectors;
  const store = await openStore(spec.checkpoint.store ?? `file://${resolve(out, "checkpoints")}`, spec.store);
  const snapshotFolder = join(out, "snapshots");
  const snapshots = fileStore(snapshotFolder, { flush: false });
  const {
    step: firstStep,
    from,
    history,
    chain,
    passedOver,
  } = await loadState({
    job,
    store,
    snapshots,
    ledgerSteps: stepsInLedger(join(out, "ledger.ndjson")),
    resume,
    allow,
    reducer,
    frozen,
    datasetDigest: set.digest,
    datasetChange: dataChange,
    warn: (message) => warnings.push(message),
    blemish(reason) {
      blemishes.push(reason);
      warnings.push(reason);
    },
  });
  if (firstStep > spec.training.steps)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `the checkpoint is at step ${firstStep}, the job ends at ${spec.training.steps}`,
      { remedy: "raise training.steps (--steps N), or start over with --resume never" },
    );
  // Last, for the probe is written. A folder needs no proof; a run that goes on had it when it began.
  if (store.url.startsWith("s3://") && !recovering)
    await checkConditionalPut(store, {
      id: randomUUID(),
      unsafe: spec.store.unsafe,
      warn: (message) => warnings.push(message),
    });
  return {
    job,
    classes: shownClasses(spec, frozen.classifier),
    set,
    dataIndex,
    layout,
    vectors,
    reducer,
    buffers,
    store,
    snapshots,
    snapshotFolder,
    firstStep,
    from,
    importance: createImportance(spec, history),
    chain,
    passedOver,
    warnings,
    blemishes,
  };
}
