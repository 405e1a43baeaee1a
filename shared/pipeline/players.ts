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

interface Rules {
  readonly objective: AdversarialObjective;
  readonly penalty: Penalty | null;
}

/** The loss of whoever moves, of its own parameters. */
type LossOf = (...moving: tf.Tensor[]) => tf.Scalar;

export function createPlayersMicroBatch(
  spec: JobSpec,
  game: Game,
  layout: Layout,
  image: PatchShape,
  { program }: { readonly program: MakeProgram },
): ComputeMicroBatch {
  const loading = loadRules(spec);
  const partOf = (player: Player) => layout.tensors.filter(({ name }) => name.startsWith(`${player}.`));
  const parts = { generator: partOf("generator"), discriminator: partOf("discriminator") };
  const draw = drawing(spec, game, image);
  const losses = lossesOf(spec, game, image);

  const computation =
    (player: Player, n: number, rules: Rules, drawn: () => Drawn): Computation =>
    (feed, params) => {
      const all = named(layout.tensors, params);
      const forward = (moving?: readonly tf.Tensor[]): Forward => {
        if (!moving) return inference(all);
        const own = named(parts[player], moving);
        return inference((name) => (name.startsWith(`${player}.`) ? own(name) : all(name)));
      };
      const lossOf = losses[player]({ feed, n, drawn, forward }, rules);
      const { value, grads } = tf.valueAndGrads(lossOf)(parts[player].map(({ name }) => all(name)));
      return [value, ...grads];
    };

  let current: Drawn;
  const programs = new Map<string, Program>();
  return async (params, batch, gradient) => {
    const rules = await loading;
    const { player } = turnOf(spec, batch.step);
    invariant(player, "one of two moves");
    current = draw(player, batch);
    const n = current.y.length;
    const key = `${player} ${n}`;
    if (!programs.has(key)) programs.set(key, program(computation(player, n, rules, () => current)));
    const [loss] = await readGradient(programs.get(key)!.run(params.tensors), parts[player], gradient);
    return loss!;
  };
}

async function loadRules({ diffusion, adversarial }: JobSpec): Promise<Rules> {
  const kind = objectiveKind(diffusion.objective);
  invariant(kind.asks === "players", `${diffusion.objective} is a loss of two players`);
  const [objective, penalty] = await Promise.all([kind.load(), PENALTIES[adversarial.penalty].load()]);
  return { objective, penalty };
}

function drawing({ seed, data, model, training }: JobSpec, { latent }: Game, image: PatchShape) {
  return (player: Player, { step, index, pixels, labels }: MicroBatch): Drawn => {
    const key = (purpose: Purpose) => ({ seed, purpose, step, index });
    const isReal = player === "discriminator";
    const n = isReal ? labels.length : training.microBatch;
    const flips = isReal && data.flip ? uniforms(key(PURPOSE.flip), n) : null;
    const seen = () => (model.classes > 0 ? droppedLabels(labels, model.classes, new Float64Array(n), 0) : labels);
    return {
      z: normals(key(PURPOSE.noise), n * latent),
      y: isReal ? seen() : integers(key(PURPOSE.fakeLabel), n, Math.max(1, model.classes)),
      u: () => Float32Array.from(uniforms(key(PURPOSE.time), n)),
      real: isReal ? normalise(mirrored(pixels, image, flips), image, data.patch) : new Float32Array(0),
    };
  };
}

function lossesOf({ data, model, adversarial }: JobSpec, game: Game, image: PatchShape) {
  const { height, width, channels } = shuffleShape(image, data.patch);
  // Fed to each evaluation anew: tfjs-node looks at a gather's indices, which it can only before their first use.
  const labelsOf = ({ feed, n, drawn }: Board) =>
    model.classes > 0 ? (feed([n], "int32", () => drawn().y.slice()) as tf.Tensor1D) : null;
  const fakeOf = (board: Board, f: Forward): tf.Tensor4D => {
    const z = board.feed([board.n, game.latent], "float32", () => board.drawn().z) as tf.Tensor2D;
    return game.generate(f, z, labelsOf(board));
  };
  const criticOf = (board: Board, f: Forward) => (x: tf.Tensor) =>
    game.discriminate(f, x as tf.Tensor4D, labelsOf(board));
  return {
    discriminator(board: Board, { objective, penalty }: Rules): LossOf {
      const { feed, n, drawn } = board;
      const fake = fakeOf(board, board.forward());
      const real = feed([n, height, width, channels], "float32", () => drawn().real);
      const shown = { real, fake, u: () => feed([n, 1, 1, 1], "float32", () => drawn().u()) };
      return (...moving) => {
        const critic = criticOf(board, board.forward(moving));
        const loss = objective.discriminator(critic(real), critic(fake), adversarial.labelSmoothing);
        return penalty ? tf.add(loss, penalty(critic, shown, adversarial.penaltyWeight)) : loss;
      };
    },
    generator(board: Board, { objective }: Rules): LossOf {
      const critic = criticOf(board, board.forward());
      return (...moving) => objective.generator(critic(fakeOf(board, board.forward(moving))));
    },
  };
}
