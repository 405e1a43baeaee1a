// The walks of the table that go by predictor and corrector.

import { langevin } from "./correctors.ts";
import { predictorCorrector } from "./predictor-corrector.ts";
import { eulerMaruyama, reverseDiffusion } from "./predictors.ts";

export const pc = predictorCorrector({ predictor: reverseDiffusion(), corrector: langevin() });
export const reverseSde = predictorCorrector({ predictor: eulerMaruyama });
