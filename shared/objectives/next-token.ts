// DALL-E's objective: the cross entropy of words and of codes, each kind its own mean, an eighth and seven eighths of their sum, as the
// interest is in images (Ramesh et al. 2021, Sec. 2.2). Of what learns no words, that of codes. In nats a token.

import * as tf from "@tensorflow/tfjs-core";
import type { Next } from "../nn/network.ts";
import type { TokensObjective } from "./objective.ts";

export const nextToken: TokensObjective = ({ words, codes }) =>
  words ? tf.add(tf.mul(nats(words), 1 / 8), tf.mul(nats(codes), 7 / 8)) : nats(codes);

const nats = ({ logits, there }: Next): tf.Scalar =>
  tf.neg(tf.div(tf.sum(tf.mul(tf.logSoftmax(logits), there)), logits.shape[0]));
