// A consistent copy of all vectors without a stop: begun between two steps, taken part by part while the next step's
// gradients are gathered, finished before they change the vectors.
//
// I1. Once `copied` has resolved, nothing of the capture depends on the vectors any more.
// I2. Parts are copied in their order, each into a buffer that its writer gives back; without room the copy waits.

import { setImmediate } from "node:timers/promises";
import { safetensorsHeader } from "../../shared/checkpoint/safetensors.ts";
import { metadataOf, type PartSource } from "../../shared/checkpoint/write.ts";
import type { Reducer, Vector } from "../../shared/kernels/reducer.ts";
import { vectorsOf } from "../../shared/pipeline/initial-state.ts";
import type { Shard } from "../../shared/tensor/layout.ts";
import { type Buffers, GRAIN } from "./buffers.ts";

export interface Capture {
  readonly parts: readonly PartSource[];
  /** Resolves when everything is copied, or nothing more will be. From the call on the copy does not make way for others. */
  copied(): Promise<void>;
  /** Nobody wants what is not copied yet; what is copied goes back. Twice is safe. */
  cancel(): void;
}

interface Part {
  readonly vector: Vector;
  readonly name: string;
  readonly shard: Shard;
  readonly header: Uint8Array;
  readonly bytes: number;
}

export function beginCapture(reducer: Reducer, buffers: Buffers): Capture {
  let hurried = false;
  let cancelled = false;
  const copies = partsOf(reducer).map((part) => ({ part, copy: open(part) }));

  const copyAll = async () => {
    for (const { part, copy } of copies) {
      if (cancelled) return;
      const buffer = await buffers.take(part.bytes);
      // Cancelled while it waited: the vectors may be another version's by now.
      if (cancelled) return buffers.give(buffer);
      try {
        buffer.set(part.header);
        await reducer.readPacked(part.vector, part.shard, buffer.subarray(part.header.byteLength));
        copy.arrived(buffer);
      } catch (error) {
        buffers.give(buffer);
        copy.failed(error);
      }
      if (!hurried) await setImmediate();
    }
  };
  const copying = copyAll();

  function open({ name, shard, bytes }: Part) {
    let buffer: Uint8Array | null = null;
    let taken = false;
    let released = false;
    let arrived = (_: Uint8Array) => {};
    let failed = (_: unknown) => {};
    const whole = new Promise<Uint8Array>((resolve, reject) => {
      arrived = resolve;
      failed = reject;
    });
    whole.catch(() => {}); // whoever takes it hears of it
    const giveBack = () => {
      if (buffer) buffers.give(buffer);
      buffer = null;
    };
    const source: PartSource = {
      vector: name,
      shard: shard.index,
      async take() {
        taken = true;
        return (await whole).subarray(0, bytes);
      },
      release() {
        released = true;
        giveBack();
      },
    };
    return {
      source,
      failed,
      /** Whoever took it gives it back: its bytes may be on their way. */
      drop() {
        failed(new Error("the save was given up"));
        if (!taken) source.release();
      },
      arrived(filled: Uint8Array) {
        buffer = filled;
        arrived(filled);
        if (released) giveBack();
      },
    };
  }

  return {
    parts: copies.map(({ copy }) => copy.source),
    copied() {
      hurried = true;
      return copying;
    },
    cancel() {
      cancelled = true;
      for (const { copy } of copies) copy.drop();
    },
  };
}

/**
 * Touches the memory of a save before the first one needs it: the kernel takes ten times a copy's time to hand out a fresh
 * page, and training would wait for it. Makes way for whoever needs the memory.
 */
export async function warmUp(reducer: Reducer, buffers: Buffers): Promise<void> {
  const warm: Uint8Array[] = [];
  for (const { bytes } of partsOf(reducer)) {
    if (buffers.short || buffers.used + bytes + GRAIN > buffers.limit) break;
    const buffer = await buffers.take(bytes);
    warm.push(buffer.fill(0));
    await setImmediate();
  }
  for (const buffer of warm) buffers.give(buffer);
}

/** One file for each vector and shard. */
function partsOf(reducer: Reducer): Part[] {
  return [...vectorsOf(reducer)].flatMap(([name, vector]) =>
    reducer.layout.shards.map((shard) => {
      const header = safetensorsHeader(shard.tensors, metadataOf(name));
      const bytes = shard.tensors.reduce((sum, { size }) => sum + 4 * size, header.byteLength);
      return { vector, name, shard, header, bytes };
    }),
  );
}
