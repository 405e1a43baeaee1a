// What the tasks share that draw the rest of an image of which a part is known.

import {
  HOLDS,
  type Holding,
  type HoldName,
  held,
  type KnownOf,
  needsSteps,
  onlyKnown,
} from "../../../../shared/editing/hold.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { oneOf, wholeNumber } from "../../options.ts";
import { asPixels, type EditTask, type Given, type Prepared, type Scene } from "./task.ts";

const HOLD_NAMES = Object.keys(HOLDS) as HoldName[];
/** Lugmayr et al. 2022, App. B. */
const [TIMES, LENGTH] = [10, 10];

export const HOLD_OPTIONS: EditTask["options"] = [
  ["--method <name>", HOLD_NAMES.map((name) => `${name} (${HOLDS[name]})`).join(" | "), "replacement"],
  ["--resamplings <r>", `of repaint: how often each stretch is walked (default: ${TIMES})`],
  ["--jump-length <j>", `of repaint: steps of a stretch (default: ${LENGTH})`],
];

function holdingOf({ method, resamplings, jumpLength }: Given): Holding {
  const hold = oneOf("--method", method!, HOLD_NAMES);
  for (const [flag, value] of Object.entries({ "--resamplings": resamplings, "--jump-length": jumpLength }))
    if (value !== undefined && hold !== "repaint")
      throw new PlumeError("INVALID_ARGUMENT", `${flag} ${value} is of repaint alone`, {
        remedy: `add --method repaint, or leave ${flag} out`,
      });
  const times = resamplings === undefined ? TIMES : wholeNumber("--resamplings", resamplings, 1);
  const length = jumpLength === undefined ? LENGTH : wholeNumber("--jump-length", jumpLength, 1);
  return { hold, resampling: { times, length } };
}

/** @param label of the column that shows what is known alone. @param knownOf checks the scene, and says what is known of it. */
export function holding(given: Given, label: string, knownOf: (scene: Scene) => Promise<KnownOf>): Prepared {
  const how = holdingOf(given);
  return {
    needs: needsSteps(how.hold) ? "steps" : "anything",
    keepsLabels: true,
    async open(scene) {
      checkLength(how, scene);
      const known = await knownOf(scene);
      return async (work) => {
        const masked = asPixels(await work(scene.subjects, onlyKnown(known)), scene);
        const after = asPixels(await work(scene.subjects, held(known, how)), scene);
        const columns = [
          { label: "before", pixels: scene.pixels },
          { label, pixels: masked },
          { label: "after", pixels: after },
        ];
        return { columns, after, told: { method: how.hold } };
      };
    },
  };
}

function checkLength({ hold, resampling: { length } }: Holding, { sampling: { steps } }: Scene): void {
  if (hold !== "repaint" || length < steps) return;
  throw new PlumeError("INVALID_ARGUMENT", `--jump-length ${length} is not below the ${steps} steps of an image`, {
    remedy: `use at most --jump-length ${steps - 1}, or more --steps`,
  });
}
