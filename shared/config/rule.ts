// What a rule between fields is.

import type { ProcessName } from "../diffusion/processes/index.ts";
import type { ProcessOptions } from "../diffusion/processes/process.ts";
import type { NetworkName } from "../models/index.ts";
import type { ObjectiveName } from "../objectives/index.ts";
import type { SamplerName } from "../samplers/index.ts";
import type { LowResFields } from "./low-res.ts";
import type { TextFields } from "./text.ts";

/** The fields that rules read, defaults filled in. */
export interface Checked {
  readonly data: {
    readonly source: string;
    readonly imageSize: number;
    readonly patch: number;
    readonly flip: boolean;
    readonly augment: number;
  };
  readonly model: {
    readonly type: NetworkName;
    readonly channels: number;
    readonly channelMult: readonly number[];
    readonly levelBlocks?: readonly number[] | undefined;
    readonly attention: readonly number[];
    readonly groups: number;
    readonly classes: number;
    readonly text?: TextFields | undefined;
    readonly lowRes?: LowResFields | undefined;
    readonly embedding?: number | undefined;
  };
  readonly training: { readonly globalBatch: number; readonly microBatch: number; readonly init?: string | undefined };
  readonly models: Readonly<
    Partial<Record<"teacher" | "classifier" | "clip" | "prior" | "dvae" | "text", object | undefined>>
  >;
  readonly diffusion: ProcessOptions & {
    readonly process: ProcessName;
    readonly predict: string;
    readonly weighting: string;
    readonly timestepSampling: string;
    readonly variance: string;
    readonly objective: ObjectiveName;
    readonly scales: { readonly start: number; readonly end?: number | undefined };
  };
  readonly workers: Readonly<Record<"replicas" | "min" | "max" | "perPod", number>>;
  readonly sampling: {
    readonly sampler: SamplerName;
    readonly everySteps: number;
    readonly steps: number;
    readonly eta?: number | undefined;
    readonly grid?: string | undefined;
    readonly threshold?: string | undefined;
    readonly percentile?: number | undefined;
    readonly guidance: number;
    readonly classifierScale?: number | undefined;
    readonly temperature?: number | undefined;
    readonly topK?: number | undefined;
    readonly prompts?: readonly string[] | undefined;
    readonly lowResNoise: number;
  };
  readonly adversarial: { readonly labelSmoothing: number };
  readonly store: { readonly endpoint?: string | undefined };
}

export interface Rule {
  /** The field that has to change, below spec. */
  readonly path: readonly string[];
  /** What is wrong with it; empty where the rule holds. */
  readonly faults: (spec: Checked) => readonly string[];
  /** The same in CEL; `self` is the spec. */
  readonly cel: {
    /** True where the rule holds, or a field of it is out of its own range: the server asks all rules at once. */
    readonly holds: string;
    /** An expression of the message where it does not. */
    readonly message: string;
  };
}

export const unless = (holds: boolean, message: () => string): readonly string[] => (holds ? [] : [message()]);

/** As a list of CEL. */
export const quoted = (names: readonly string[]): string => `[${names.map((name) => `'${name}'`).join(", ")}]`;
