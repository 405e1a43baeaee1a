// Optimizers, clipping, EMA and learning rates; trajectories go through the real reducer and its float32 kernels.

import { type LocalReducer, type LocalVector, openReducer } from "../../../shared/kernels/open-reducer.ts";
import { clipCoefficient } from "../../../shared/optim/clip.ts";
import { halfLifeDecay, powerDecay, warmedUpDecay } from "../../../shared/optim/ema.ts";
import { linearAnneal } from "../../../shared/optim/lr-schedule.ts";
import type { OptimizerName } from "../../../shared/optim/optimizers.ts";
import { tensorView } from "../../../shared/tensor/flat.ts";
import { buildLayout, type ParamSpec } from "../../../shared/tensor/layout.ts";
import { flat, type Nested, shapeOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";

export const optim: GoldenFamily = {
  name: "optim",
  float32: () => true,
  async run(golden) {
    const { params, inputs, expected } = golden;
    const p = params as Record<string, number>;
    if (inputs.w0) return trajectory(golden);
    if ("max_norm" in p) return clip(golden);
    if (expected.decay)
      return {
        decay: (expected.decay as number[]).map((_, n) =>
          powerDecay(n, { invGamma: p.inv_gamma!, power: p.power!, maxValue: p.max_value! }),
        ),
      };
    if (expected.ema_beta)
      return {
        ema_beta: (inputs.cur_nimg as number[]).map((images) =>
          halfLifeDecay(p.batch_size!, p.ema_halflife_nimg!, images, p.ema_rampup_ratio ?? null),
        ),
      };
    if (expected.lr)
      return { lr: (inputs.steps as number[]).map((step) => linearAnneal(p.lr!, p.lr_anneal_steps!, step)) };
    return ema(golden);
  },
};

async function withReducer<R>(
  tensors: Record<string, Nested>,
  type: OptimizerName,
  body: (reducer: LocalReducer) => Promise<R>,
): Promise<R> {
  const specs = Object.entries(tensors).map(
    ([name, value]): ParamSpec => ({ name, shape: shapeOf(value), init: { kind: "zeros" } }),
  );
  const reducer = await openReducer({ layout: buildLayout(specs), optimizer: type, maxVectors: 2 });
  try {
    for (const vector of [reducer.params, reducer.ema, ...Object.values(reducer.moments)]) vector.shard(0).fill(0);
    for (const [name, value] of Object.entries(tensors)) set(reducer, reducer.params, name, value);
    return await body(reducer);
  } finally {
    await reducer[Symbol.asyncDispose]();
  }
}

function set({ layout }: LocalReducer, vector: LocalVector, name: string, value: Nested): void {
  tensorView(layout, vector, layout.tensors.find((t) => t.name === name)!).set(flat(value));
}

const get = ({ layout }: LocalReducer, vector: LocalVector, name: string): number[] => [
  ...tensorView(layout, vector, layout.tensors.find((t) => t.name === name)!),
];

const typeOf = (name: string): OptimizerName =>
  name.startsWith("adamw") ? "adamw" : name.startsWith("rmsprop") ? "rmsprop" : name.startsWith("sgd") ? "sgd" : "adam";

function trajectory({ name, params, inputs }: GoldenCase): Promise<Record<string, unknown>> {
  const p = params as {
    lr: number;
    betas?: [number, number];
    eps?: number;
    weight_decay?: number;
    alpha?: number;
    momentum?: number;
    warmup?: number;
    grad_clip?: number;
    steps: number;
  };
  const [w0, b0, gw, gb] = [inputs.w0, inputs.b0, inputs.grad_w, inputs.grad_b] as [Nested, Nested, Nested[], Nested[]];
  const type = typeOf(name);
  return withReducer({ w: w0, b: b0 }, type, async (reducer) => {
    const out: { w: unknown[]; b: unknown[]; total_norm: number[]; lr: number[] } = {
      w: [],
      b: [],
      total_norm: [],
      lr: [],
    };
    const gradient = reducer.allocate();
    for (let i = 0; i < p.steps; i++) {
      gradient.shard(0).fill(0);
      set(reducer, gradient, "w", gw[i]!);
      set(reducer, gradient, "b", gb[i]!);
      const norm = Math.sqrt(await reducer.squaredNorm(gradient));
      const lr = p.warmup ? p.lr * Math.min(i / p.warmup, 1) : p.lr;
      await reducer.optimize(gradient, {
        type,
        lr,
        beta1: p.betas?.[0] ?? p.momentum ?? 0,
        beta2: p.betas?.[1] ?? p.alpha ?? 0,
        eps: p.eps ?? 0,
        weightDecay: p.weight_decay ?? 0,
        gradientScale: clipCoefficient(norm, p.grad_clip ?? null),
        count: i + 1,
      });
      out.w.push(get(reducer, reducer.params, "w"));
      out.b.push(get(reducer, reducer.params, "b"));
      out.total_norm.push(norm);
      out.lr.push(lr);
    }
    return out;
  });
}

function clip({ params, inputs }: GoldenCase): Promise<Record<string, unknown>> {
  const { grad_w, grad_b } = inputs as { grad_w: Nested; grad_b: Nested };
  return withReducer({ w: grad_w, b: grad_b }, "sgd", async (reducer) => {
    const norm = Math.sqrt(await reducer.squaredNorm(reducer.params));
    const coefficient = Math.fround(clipCoefficient(norm, (params as { max_norm: number }).max_norm));
    const clipped = (name: string) => get(reducer, reducer.params, name).map((x) => Math.fround(x * coefficient));
    return { total_norm: norm, clipped_w: clipped("w"), clipped_b: clipped("b") };
  });
}

function ema({ params, inputs }: GoldenCase): Promise<Record<string, unknown>> {
  const { rate, decay, use_num_updates } = params as { rate?: number; decay?: number; use_num_updates?: boolean };
  return withReducer({ x: inputs.initial as Nested }, "sgd", async (reducer) => {
    set(reducer, reducer.ema, "x", inputs.initial as Nested);
    const out: number[][] = [];
    for (const [i, value] of (inputs.params as Nested[]).entries()) {
      set(reducer, reducer.params, "x", value);
      await reducer.updateEma(use_num_updates ? warmedUpDecay(decay!, i + 1) : (rate ?? decay)!);
      out.push(get(reducer, reducer.ema, "x"));
    }
    return { ema: out };
  });
}
