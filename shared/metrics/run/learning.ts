// What the optimizer sees.

import { turnOf } from "../../config/turns.ts";
import { emaDecay } from "../../optim/ema.ts";
import { counter, gauge } from "../metric.ts";
import { ofRun } from "./source.ts";

export const learning = ofRun(
  {
    loss: gauge("plume_loss", "Loss of the newest step, mean over the global batch."),
    gradNorm: gauge("plume_grad_norm", "L2 norm of the newest step's mean gradient, before clipping."),
    lr: gauge("plume_learning_rate", "Learning rate of the newest step."),
    ema: gauge("plume_ema_decay", "Decay of the EMA at the newest step."),
    nonFinite: counter(
      "plume_nonfinite_gradients_total",
      "Steps skipped because a gradient was not finite (training.nonFinite: skip; with fail the job ends).",
    ),
  },
  (m, { spec }) => ({
    event(event) {
      if (event.kind !== "step") return;
      m.loss.set(event.loss);
      m.gradNorm.set(event.gradNorm);
      m.lr.set(event.lr);
      const { averaged, count } = turnOf(spec, event.step);
      if (averaged) m.ema.set(emaDecay(spec.training, count));
      if (event.skipped) m.nonFinite.add(1);
    },
  }),
);
