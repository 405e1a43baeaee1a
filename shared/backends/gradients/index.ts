// Every gradient that plume's models need, registered once a process, for all backends.

import { elementwise } from "./elementwise.ts";
import { registerRules } from "./gradient.ts";
import { linear } from "./linear.ts";
import { structural } from "./structural.ts";

export function registerGradients(): void {
  registerRules(elementwise);
  registerRules(structural);
  registerRules(linear);
}
