// One micro-batch of two networks that play against each other: to a mean loss and a flat gradient of whose turn it is, 0 everywhere else.
// The discriminator's is of images; the generator's is of noise alone.

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import { type Player, turnOf } from "../config/turns.ts";
import type { PatchShape } from "../data/patch.ts";
import { invariant } from "../invariant.ts";
import type { Forward, Game } from "../nn/network.ts";
import type { Computation, Feed, MakeProgram, Program } from "../nn/program.ts";
import { PENALTIES, type Penalty } from "../objectives/adversarial/index.ts";
import { objectiveKind } from "../objectives/index.ts";
import type { AdversarialObjective } from "../objectives/objective.ts";
import { integers, normals, PURPOSE, type Purpose, uniforms } from "../rng/stream.ts";
import type { Layout } from "../tensor/layout.ts";
import { inference, named } from "./device-params.ts";
import { droppedLabels, mirrored, normalise } from "./images.ts";
import type { ComputeMicroBatch, MicroBatch } from "./micro-batch.ts";
import { readGradient } from "./read-gradient.ts";
import { shuffleShape } from "./shape.ts";

/** What a micro-batch draws and reads, on the host, for n samples. */
interface Drawn {
  /** float32 [n, latent]. */
  readonly z: Float32Array;
  /** A class a sample, of real and generated images alike. */
  readonly y: Int32Array;
  /** Where between the two each sample's slope is asked for. */
  u(): Float32Array;
  /** float32 [n, h, w, c]; empty where the generator moves. */
  readonly real: Float32Array;
}

/** Both networks inside a computation: whoever moves has its parameters given. */
interface Board {
  readonly feed: Feed;
  readonly n: number;
  readonly drawn: () => Drawn;
  /** The network's forward with the tensors of its own part. */
  forward(moving?: readonly tf.Tensor[]): Forward;
}

export function createPlayersMicroBatch(
  spec: JobSpec,
  game: Game,
  layout: Layout,
  image: PatchShape,
  { program }: { readonly program: MakeProgram },
): ComputeMicroBatch {
  const { seed, data, model, adversarial, training } = spec;
  const kind = objectiveKind(spec.diffusion.objective);
  invariant(kind.asks === "players", `${spec.diffusion.objective} is a loss of two players`);
  const loading = Promise.all([kind.load(), PENALTIES[adversarial.penalty].load()]);
  const { height, width, channels } = shuffleShape(image, data.patch);
  const partOf = (player: Player) => layout.tensors.filter(({ name }) => name.startsWith(`${player}.`));
  const parts = { generator: partOf("generator"), discriminator: partOf("discriminator") };

  const draw = (player: Player, { step, index, pixels, labels }: MicroBatch): Drawn => {
    const key = (purpose: Purpose) => ({ seed, purpose, step, index });
    const isReal = player === "discriminator";
    const n = isReal ? labels.length : training.microBatch;
    const flips = isReal && data.flip ? uniforms(key(PURPOSE.flip), n) : null;
    const seen = () => (model.classes > 0 ? droppedLabels(labels, model.classes, new Float64Array(n), 0) : labels);
    return {
      z: normals(key(PURPOSE.noise), n * game.latent),
      y: isReal ? seen() : integers(key(PURPOSE.fakeLabel), n, Math.max(1, model.classes)),
      u: () => Float32Array.from(uniforms(key(PURPOSE.time), n)),
      real: isReal ? normalise(mirrored(pixels, image, flips), image, data.patch) : new Float32Array(0),
    };
  };

  // Fed to each evaluation anew: tfjs-node looks at a gather's indices, which it can only before their first use.
  const labelsOf = ({ feed, n, drawn }: Board) =>
    model.classes > 0 ? (feed([n], "int32", () => drawn().y.slice()) as tf.Tensor1D) : null;
  const fakeOf = (board: Board, f: Forward): tf.Tensor4D =>
    game.generate(
      f,
      board.feed([board.n, game.latent], "float32", () => board.drawn().z) as tf.Tensor2D,
      labelsOf(board),
    );

  /** @returns the loss of whoever moves, of its own parameters. */
  const losses: Record<Player, (board: Board, rules: Rules) => (...tensors: tf.Tensor[]) => tf.Scalar> = {
    discriminator(board, { objective, penalty }) {
      const { feed, n, drawn } = board;
      const fake = fakeOf(board, board.forward());
      const real = feed([n, height, width, channels], "float32", () => drawn().real) as tf.Tensor4D;
      const u = () => feed([n, 1, 1, 1], "float32", () => drawn().u());
      return (...tensors) => {
        const f = board.forward(tensors);
        const critic = (x: tf.Tensor) => game.discriminate(f, x as tf.Tensor4D, labelsOf(board));
        const loss = objective.discriminator(critic(real), critic(fake), adversarial.labelSmoothing);
        return penalty ? tf.add(loss, penalty(critic, { real, fake, u }, adversarial.penaltyWeight)) : loss;
      };
    },
    generator(board, { objective }) {
      const critic = board.forward();
      return (...tensors) =>
        objective.generator(game.discriminate(critic, fakeOf(board, board.forward(tensors)), labelsOf(board)));
    },
  };

  const computation =
    (player: Player, n: number, rules: Rules, drawn: () => Drawn): Computation =>
    (feed, params) => {
      const at = new Map(layout.tensors.map(({ name }, i) => [name, params[i]!]));
      const own = parts[player].map(({ name }) => at.get(name)!);
      const all = named(layout.tensors, params);
      const forward = (moving?: readonly tf.Tensor[]): Forward => {
        if (!moving) return inference(all);
        const mine = named(parts[player], moving);
        return inference((name) => (name.startsWith(`${player}.`) ? mine(name) : all(name)));
      };
      const { value, grads } = tf.valueAndGrads(losses[player]({ feed, n, drawn, forward }, rules))(own);
      return [value, ...grads];
    };

  let current: Drawn;
  const programs = new Map<string, Program>();
  return async (params, batch, gradient) => {
    const [objective, penalty] = await loading;
    const { player } = turnOf(spec, batch.step);
    invariant(player, "one of two moves");
    current = draw(player, batch);
    const n = current.y.length;
    const key = `${player} ${n}`;
    if (!programs.has(key)) programs.set(key, program(computation(player, n, { objective, penalty }, () => current)));
    const [loss] = await readGradient(programs.get(key)!.run(params.tensors), parts[player], gradient);
    return loss!;
  };
}

interface Rules {
  readonly objective: AdversarialObjective;
  readonly penalty: Penalty | null;
}
