// A frozen text encoder on this device: from a caption to its words, one caption at a time, each made once and kept.

import * as tf from "@tensorflow/tfjs-core";
import { type Computation, type MakeProgram, programsBySize } from "../nn/program.ts";
import { sizeOf, type TextWeights, textEncoderOf } from "./read.ts";
import { openTokenizer } from "./tokenizer.ts";

/** @returns float32 [tokens, width]: the caption's words, its end among them. */
export type EncodeCaption = (caption: string) => Promise<Float32Array>;

/** A caption has so many places, or a multiple: one computation for all that have as many. */
const PLACES = 16;
/** Of words that are kept. */
const KEPT_BYTES = 512 << 20;

/** @param most tokens of a caption; those beyond are left out, but for its end. @param keptBytes of words that are kept. */
export function openEncoder(
  weights: TextWeights,
  most: number,
  program: MakeProgram,
  keptBytes?: number,
): EncodeCaption {
  const encoder = textEncoderOf(weights.config);
  let tokenizer: ReturnType<typeof openTokenizer> | undefined;
  const { tables, names, tensors } = onDevice(encoder.tensors, weights.flat);
  const programOf = programsBySize(program);
  let asked: readonly number[] = [];

  const computation = (places: number): Computation => {
    const text = { places, tokens: () => asked, table: (name: string) => tables.get(name)! };
    return (feed, params) => {
      const byName = new Map(names.map((name, k) => [name, params[k]!]));
      return [encoder.forward(feed, (name) => byName.get(name)!, text)];
    };
  };

  const encode = async (caption: string): Promise<Float32Array> => {
    tokenizer ??= openTokenizer(weights.tokenizer);
    const tokens = shortened((await tokenizer)(caption), most);
    const places = Math.ceil(tokens.length / PLACES) * PLACES;
    asked = tokens;
    const [words] = programOf(places, () => computation(places)).run(tensors);
    const values = await words!.data<"float32">();
    words!.dispose();
    return values.slice(0, tokens.length * encoder.width);
  };
  return kept(encode, keptBytes);
}

/** Its end is the last of the tokens. */
export const shortened = (tokens: readonly number[], most: number): readonly number[] =>
  tokens.length <= most ? tokens : [...tokens.slice(0, most - 1), tokens.at(-1)!];

/** Tables stay on the host; every other tensor becomes one of the device, for good. */
function onDevice(all: ReturnType<typeof textEncoderOf>["tensors"], flat: Float32Array) {
  const tables = new Map<string, Float32Array>();
  const [names, tensors]: [string[], tf.Tensor[]] = [[], []];
  let at = 0;
  for (const { name, shape, table, linear } of all) {
    const values = flat.subarray(at, at + sizeOf(shape));
    at += values.length;
    if (table) tables.set(name, values);
    else {
      names.push(name);
      tensors.push(
        tf.keep(
          tf.tidy(() => {
            const tensor = tf.tensor(values.slice(), [...shape], "float32");
            return linear ? tf.transpose(tensor) : tensor;
          }),
        ),
      );
    }
  }
  return { tables, names, tensors };
}

/** What was asked for last stays; what was not asked for longest goes. @param most bytes of words that are kept. */
export function kept(encode: EncodeCaption, most = KEPT_BYTES): EncodeCaption {
  const words = new Map<string, Float32Array>();
  let bytes = 0;
  return async (caption) => {
    const known = words.get(caption);
    const made = known ?? (await encode(caption));
    words.delete(caption);
    words.set(caption, made);
    if (known) return made;
    bytes += made.byteLength;
    for (const [oldest, gone] of words) {
      if (bytes <= most || oldest === caption) break;
      words.delete(oldest);
      bytes -= gone.byteLength;
    }
    return made;
  };
}
