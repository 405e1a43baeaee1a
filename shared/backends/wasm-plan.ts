// A computation on wasm as a plan: the kernels that one eager run called, in their order, with what each read and made.
// Running the plan calls those kernels alone: no tape, no scopes, no bookkeeping of tensors, and every value is freed after
// its last use.
//
// I1. A slot is one reference to one value. A kernel's result is a slot, also when it shares the memory of its input.
// I2. The plan owns what its kernels make and what is uploaded for it; parameters and fed tensors stay their owners'.

import type * as tf from "@tensorflow/tfjs-core";
import { invariant } from "../invariant.ts";
import { type Computation, type Fed, type Feed, isTensor, type Program, valuesRead } from "../nn/program.ts";
import type { WasmBackend } from "./wasm-kernels/heap.ts";

type Core = Pick<typeof tf, "tidy" | "tensor" | "clone" | "engine" | "getKernelsForBackend">;

interface Call {
  readonly kernel: tf.KernelFunc;
  /** Slots by the input's name: a list where the kernel takes one. */
  readonly inputs: Readonly<Record<string, number | readonly number[] | undefined>>;
  readonly attrs: tf.NamedAttrMap | undefined;
  readonly outputs: readonly number[];
  /** Slots that nobody reads after this call. */
  readonly free: number[];
}

interface FedSlot {
  readonly slot: number;
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int32";
  readonly make: () => Fed;
}

interface Plan {
  readonly slots: number;
  readonly params: readonly number[];
  readonly feeds: readonly FedSlot[];
  /** Values that the computation made of nothing, kept for ever. */
  readonly constants: ReadonlyMap<number, tf.TensorInfo>;
  readonly calls: readonly Call[];
  readonly outputs: readonly number[];
}

/** The first run is eager and is written down; every later one runs the plan, to the same bits. */
export function planProgram(core: Core, backend: WasmBackend, computation: Computation): Program {
  let plan: Plan | null = null;
  return {
    run(params) {
      if (plan) return replay(core, backend, plan, params);
      const recorded = record(core, backend, computation, params);
      plan = recorded.plan;
      return recorded.results;
    },
  };
}

function record(core: Core, backend: WasmBackend, computation: Computation, params: readonly tf.Tensor[]) {
  /** Slots of values by what names them in the engine; the same memory under two shapes is two. */
  const slots = new Map<object, Map<string, number>>();
  const constants = new Map<number, tf.TensorInfo>();
  const fresh = new Set<object>();
  const feeds: FedSlot[] = [];
  const calls: Call[] = [];
  let made = 0;
  let inside = false;

  const keyOf = ({ shape, dtype }: tf.TensorInfo) => `${dtype} ${shape}`;
  const define = (info: tf.TensorInfo): number => {
    const ofData = slots.get(info.dataId) ?? new Map<string, number>();
    slots.set(info.dataId, ofData.set(keyOf(info), made));
    return made++;
  };
  const find = (info: tf.TensorInfo, kernel: string): number => {
    const known = slots.get(info.dataId)?.get(keyOf(info));
    if (known !== undefined) return known;
    invariant(fresh.has(info.dataId), `every input of ${kernel} was made while recording, or is a parameter`);
    backend.incRef(info.dataId);
    const { dataId, shape, dtype } = info;
    const slot = define(info);
    constants.set(slot, { dataId, shape: [...shape], dtype });
    return slot;
  };

  const watch =
    (name: string, kernel: tf.KernelFunc): tf.KernelFunc =>
    (given) => {
      if (inside) return kernel(given);
      const inputs = Object.fromEntries(
        Object.entries(given.inputs as Record<string, tf.TensorInfo | tf.TensorInfo[] | undefined>).map(
          ([key, value]) => [
            key,
            Array.isArray(value) ? value.map((each) => find(each, name)) : value && find(value, name),
          ],
        ),
      );
      inside = true;
      try {
        const result = kernel(given);
        const outputs = (Array.isArray(result) ? result : [result]).map(define);
        calls.push({ kernel, inputs, attrs: given.attrs, outputs, free: [] });
        return result;
      } finally {
        inside = false;
      }
    };

  const feed: Feed = (shape, dtype, make) => {
    inside = true; // a clone is no part of the plan
    try {
      const fed = make();
      const tensor = isTensor(fed) ? core.clone(fed) : core.tensor(fed, [...shape], dtype);
      feeds.push({ slot: define(tensor), shape, dtype, make });
      return tensor;
    } finally {
      inside = false;
    }
  };

  const ownParams = params.map(define);
  const restore = watchBackend(core, backend, watch, fresh, () => inside);
  try {
    const results = core.tidy(() => [...computation(feed, params)]);
    const outputs = results.map((tensor) => find(tensor, "the result"));
    const plan: Plan = { slots: made, params: ownParams, feeds, constants, calls, outputs };
    freeAfterLastUse(plan);
    return { plan, results };
  } finally {
    restore();
  }
}

/** Puts `watch` before every kernel, and notes values that come from nowhere. @returns what takes it all back. */
function watchBackend(
  core: Core,
  backend: WasmBackend,
  watch: (name: string, kernel: tf.KernelFunc) => tf.KernelFunc,
  fresh: Set<object>,
  isInside: () => boolean,
): () => void {
  const configs = core.getKernelsForBackend("wasm") as { kernelName: string; kernelFunc: tf.KernelFunc }[];
  const own = configs.map(({ kernelFunc }) => kernelFunc);
  for (const config of configs) config.kernelFunc = watch(config.kernelName, config.kernelFunc);
  const { write, readSync } = backend;
  backend.write = (...args) => {
    const dataId = write.apply(backend, args);
    fresh.add(dataId);
    return dataId;
  };
  backend.readSync = (...args) => {
    if (isInside()) return readSync.apply(backend, args);
    throw valuesRead();
  };
  return () => {
    configs.forEach((config, i) => {
      config.kernelFunc = own[i]!;
    });
    backend.write = write;
    backend.readSync = readSync;
  };
}

function freeAfterLastUse({ calls, feeds, outputs, params, constants }: Plan): void {
  const lastUse = new Map<number, number>();
  calls.forEach(({ inputs, outputs: made }, at) => {
    for (const slot of [...Object.values(inputs).flat(), ...made]) if (slot !== undefined) lastUse.set(slot, at);
  });
  const kept = new Set([...outputs, ...params, ...constants.keys()]);
  for (const { slot } of feeds) if (!lastUse.has(slot)) lastUse.set(slot, calls.length - 1);
  for (const [slot, at] of lastUse) if (!kept.has(slot)) calls[at]!.free.push(slot);
}

function replay(core: Core, backend: WasmBackend, plan: Plan, params: readonly tf.Tensor[]): tf.Tensor[] {
  const values: (tf.TensorInfo | undefined)[] = new Array(plan.slots);
  /** What is the plan's to free. */
  const owned = new Set<number>();
  const at = (slot: number): tf.TensorInfo => values[slot]!;
  const free = (slot: number) => {
    if (owned.delete(slot)) backend.disposeData(at(slot).dataId);
  };
  for (const [slot, info] of plan.constants) values[slot] = info;
  plan.params.forEach((slot, i) => {
    values[slot] = params[i];
  });
  try {
    for (const { slot, shape, dtype, make } of plan.feeds) {
      const fed = make();
      if (isTensor(fed)) values[slot] = fed;
      else {
        const info = { dataId: backend.write(fed, [...shape], dtype), shape: [...shape], dtype };
        values[slot] = info;
        owned.add(slot);
      }
    }
    for (const { kernel, inputs, attrs, outputs, free: unused } of plan.calls) {
      const given: Record<string, tf.TensorInfo | tf.TensorInfo[] | undefined> = {};
      for (const name in inputs) {
        const slot = inputs[name];
        given[name] = typeof slot === "object" ? slot.map(at) : slot === undefined ? undefined : at(slot);
      }
      const result = kernel({ inputs: given as never, attrs: attrs as never, backend });
      const results = Array.isArray(result) ? result : [result];
      for (let k = 0; k < outputs.length; k++) {
        values[outputs[k]!] = results[k];
        owned.add(outputs[k]!);
      }
      for (const slot of unused) free(slot);
    }
    return plan.outputs.map((slot) => {
      const info = at(slot);
      // A result that is named twice, or that is not the plan's own, is one reference more.
      if (!owned.delete(slot)) backend.incRef(info.dataId);
      return core.engine().makeTensorFromTensorInfo(info);
    });
  } finally {
    for (const slot of owned) free(slot);
  }
}
