// What fits two networks that play against each other.

import { OBJECTIVE_NAMES, objectiveKind } from "../objectives/index.ts";
import { quoted, type Rule, unless } from "./rule.ts";

/** Objectives of a game whose targets cannot be smoothed. */
const SHARP = OBJECTIVE_NAMES.filter((name) => {
  const kind = objectiveKind(name);
  return kind.asks === "players" && !kind.smooths;
});

export const ADVERSARIAL_RULES: readonly Rule[] = [
  {
    path: ["adversarial", "labelSmoothing"],
    faults: ({ adversarial: { labelSmoothing }, diffusion: { objective } }) =>
      unless(
        labelSmoothing === 0 || !SHARP.includes(objective),
        () => `${labelSmoothing}: ${objective} has no target to smooth; set it to 0, or choose non-saturating`,
      ),
    cel: {
      holds: `self.adversarial.labelSmoothing == 0.0 || !(self.diffusion.objective in ${quoted(SHARP)})`,
      message:
        "'%s: %s has no target to smooth; set it to 0, or choose non-saturating'.format([self.adversarial.labelSmoothing, self.diffusion.objective])",
    },
  },
];
