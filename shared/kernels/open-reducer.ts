// The reducer over groups of shards: every operation goes to all groups at once and is done when the last one is.
//
// I1. Results depend neither on the number of groups nor on their threads: kernels work per shard, and what is folded
//     over shards is folded in index order.

import { availableParallelism } from "node:os";
import { PlumeError } from "../errors.ts";
import { OPTIMIZERS, type OptimizerName, type OptimizerStep, optimizerCalls } from "../optim/optimizers.ts";
import type { Layout, PlacedTensor, Shard, Span } from "../tensor/layout.ts";
import { EXACT, type Wire, wireBytes } from "../wire/index.ts";
import {
  type Addresses,
  addressesOf,
  type KernelCall,
  type KernelResult,
  type Region,
  type ShardGroup,
} from "./group.ts";
import { chainDigests } from "./kernels.ts";
import { openLocalGroup } from "./local-group.ts";
import type { Reducer, Vector } from "./reducer.ts";

export interface ReducerOptions {
  readonly layout: Layout;
  readonly optimizer: OptimizerName;
  /** Vectors that allocate() may hand out at once. */
  readonly maxVectors: number;
  /** How gradients travel; as they are when absent. */
  readonly wire?: Wire;
}

/** A vector whose memory is this process's. */
export interface LocalVector extends Vector {
  /** The shard's floats: a view on shared memory, 16-byte aligned. Do not keep it past release(). */
  shard(index: number): Float32Array;
}

/** Vectors that every reducer has, by number: whoever serves their bytes knows where they lie. */
export const PARAMS = 0;
export const EMA = 1;

export type LocalReducer = Reducer<LocalVector>;

/** A reducer of this process. @param options.threads default: one a core, at most one a shard. */
export async function openReducer({
  threads = availableParallelism(),
  ...options
}: ReducerOptions & { readonly threads?: number }): Promise<LocalReducer> {
  const { shards } = options.layout;
  const group = openLocalGroup(shards, threads);
  const addresses = addressesOf(shards, group.threads);
  const vectorOf = (id: number): LocalVector => ({
    id,
    shard(index) {
      const shard = shards[index]!;
      const { buffer, byteOffset } = group.view({
        shard: index,
        pointer: addresses.pointer(id, shard),
        bytes: shard.size * 4,
      });
      return new Float32Array(buffer, byteOffset, shard.size);
    },
  });
  return reducerOver([group], options, vectorOf);
}

/** A reducer whose shard s is in group s mod K. */
export function reducerOver<V extends Vector>(
  groups: readonly ShardGroup[],
  { layout, optimizer, maxVectors, wire = EXACT }: ReducerOptions,
  vectorOf: (id: number) => V,
): Reducer<V> {
  const addresses = groups.map(({ shards, threads }): Addresses => addressesOf(shards, threads));
  const homeOf = ({ index }: Shard) => index % groups.length;
  const pointer = ({ id }: Vector, shard: Shard) => addresses[homeOf(shard)]!.pointer(id, shard);
  const place = (vector: Vector, shard: Shard) => ({ ...shard, pointer: pointer(vector, shard) });
  const whole = (vector: Vector, shard: Shard): Region => ({
    shard: shard.index,
    pointer: pointer(vector, shard),
    bytes: shard.size * 4,
    position: shard.offset * 4,
  });

  const shardOf = ({ offset }: PlacedTensor) => layout.shards.findLast((shard) => shard.offset <= offset)!;
  /** A tensor without its padding. */
  const regionOf = (vector: Vector, tensor: PlacedTensor, shard = shardOf(tensor)) => ({
    shard: shard.index,
    pointer: pointer(vector, shard) + 4 * (tensor.offset - shard.offset),
    bytes: 4 * tensor.size,
  });
  /** A shard's tensors, one behind the other. */
  const packed = (vector: Vector, shard: Shard): Region[] => {
    let position = 0;
    return shard.tensors.map((tensor) => {
      const region = { ...regionOf(vector, tensor, shard), position };
      position += region.bytes;
      return region;
    });
  };

  const free: V[] = [];
  let made = 0;
  const { moments: names } = OPTIMIZERS[optimizer];
  const limit = maxVectors + 2 + names.length;
  const make = (): V => {
    for (const group of groups) group.reserve(made + 1);
    return vectorOf(made++);
  };

  /** Runs some kernels on every shard. @returns the result of the last one, by shard. */
  const onShards = async (...kernels: ((shard: Shard) => readonly KernelCall[])[]): Promise<KernelResult[]> => {
    const results: KernelResult[] = [];
    await Promise.all(
      groups.map(async ({ shards, run }) => {
        const values = await run(shards.map((shard) => kernels.flatMap((of) => of(shard))));
        for (const [j, { index }] of shards.entries()) results[index] = values[j];
      }),
    );
    return results;
  };
  /** Kernels on the part of each shard that lies in a span; none where nothing does. */
  const within =
    (
      { from, to }: Span = { from: 0, to: layout.size },
      of: (at: (vector: Vector) => number, n: number) => readonly KernelCall[],
    ) =>
    (s: Shard): readonly KernelCall[] => {
      const [first, end] = [Math.max(from, s.offset), Math.min(to, s.offset + s.size)];
      return first < end ? of((vector) => pointer(vector, s) + 4 * (first - s.offset), end - first) : [];
    };
  const digestOf = (vector: Vector) => (s: Shard) => [["digest", pointer(vector, s), s.size, BigInt(s.index)]] as const;

  // A gradient lands at the end of its vector's shards, from where it is decoded in place.
  const landing = (vector: Vector): Region[] => {
    let position = 0;
    return layout.shards.map((shard) => {
      const bytes = wire.bytes(shard.size);
      const region = { shard: shard.index, pointer: pointer(vector, shard) + 4 * shard.size - bytes, bytes, position };
      position += bytes;
      return region;
    });
  };
  const ofGroup = (regions: readonly Region[], k: number) => regions.filter(({ shard }) => shard % groups.length === k);

  const params = make();
  const ema = make();
  const moments = Object.fromEntries(names.map((name) => [name, make()]));

  return {
    layout,
    params,
    ema,
    moments,
    gradientBytes: wireBytes(wire, layout),

    allocate() {
      const vector = free.pop();
      if (vector) return vector;
      if (made >= limit)
        throw new PlumeError("RESOURCE_EXHAUSTED", `${maxVectors} vectors are in use, the bound of this reducer`);
      return make();
    },
    release: (vector) => void free.push(vector),

    async land(vector, source, signal) {
      const regions = landing(vector);
      // When one fails the others are waited for: whoever gets the vector next must not find them still writing.
      const landed = await Promise.allSettled(groups.map(({ fill }, k) => fill(ofGroup(regions, k), source, signal)));
      const failed = landed.find(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
      if (failed) throw failed.reason;
      return landed.reduce((sum, each) => sum + (each as PromiseFulfilledResult<number>).value, 0);
    },

    async arrived(vector) {
      const digests = await onShards((s) => wire.decode(place(vector, s)), digestOf(vector));
      return chainDigests(digests as bigint[]);
    },

    async add(out, left, right, node) {
      await onShards(
        (s) => [["add", pointer(out, s), pointer(left, s), pointer(right, s), s.size]],
        (s) => wire.round(place(out, s), node),
      );
    },

    async squaredNorm(vector) {
      const parts = await onShards((s) => [["squaredNorm", pointer(vector, s), s.size]]);
      return parts.reduce<number>((sum, part) => sum + (part as number), 0);
    },

    async firstNonFinite(vector) {
      const found = await onShards((s) => [["firstNonFinite", pointer(vector, s), s.size]]);
      const shard = found.findIndex((index) => (index as number) >= 0);
      return shard < 0 ? -1 : layout.shards[shard]!.offset + (found[shard] as number);
    },

    async digest(vector) {
      const digests = await onShards(digestOf(vector));
      return chainDigests(digests as bigint[]);
    },

    async optimize(gradient, step: OptimizerStep, span) {
      await onShards(
        within(span, (at, n) =>
          optimizerCalls(step, { p: at(params), g: at(gradient), moment: (name) => at(moments[name]!), n }),
        ),
      );
    },

    async updateEma(decay, span) {
      await onShards(within(span, (at, n) => [["ema", at(ema), at(params), n, decay]]));
    },

    async read(vector, shard) {
      const floats = new Float32Array(shard.size);
      await groups[homeOf(shard)]!.read([{ ...whole(vector, shard), position: 0 }], bytesOf(floats));
      return floats;
    },

    async readPacked(vector, shard, into) {
      await groups[homeOf(shard)]!.read(packed(vector, shard), into);
    },

    async write(vector, shard, floats) {
      await groups[homeOf(shard)]!.write([{ ...whole(vector, shard), position: 0 }], bytesOf(floats));
    },

    async writeTensors(vector, tensors, bytes) {
      const regions = tensors.map(({ tensor, position }) => ({ ...regionOf(vector, tensor), position }));
      await Promise.all(
        groups.map(async ({ write }, k) => {
          const mine = ofGroup(regions, k);
          if (mine.length > 0) await write(mine, bytes);
        }),
      );
    },

    async save(vector, file) {
      const regions = layout.shards.map((shard) => whole(vector, shard));
      await Promise.all(groups.map(({ save }, k) => save(ofGroup(regions, k), file)));
    },

    async [Symbol.asyncDispose]() {
      await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
    },
  };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);
