// What fits a process whose steps back are the network's own, and what fits those alone.

import { SOURCES } from "../data/sources/index.ts";
import { PARAMETERIZATIONS } from "../diffusion/parameterization.ts";
import { CHAIN_NAMES, chainKind, type ProcessName } from "../diffusion/processes/index.ts";
import { OBJECTIVE_NAMES, objectiveKind } from "../objectives/index.ts";
import { quoted, type Rule, unless } from "./rule.ts";

/** Processes whose steps back are the network's own; what a job may say beside them is of its own kind. */
export const isChain = (process: ProcessName): boolean => chainKind(process) !== undefined;
export const CHAIN = `(self.diffusion.process in ${quoted(CHAIN_NAMES)})`;
const predictionsOf = (chain: boolean): string => (chain ? "kernel" : Object.keys(PARAMETERIZATIONS).join(", "));
/** Objectives that judge them. */
const OF_CHAINS = OBJECTIVE_NAMES.filter((name) => objectiveKind(name).asks === "chain");
/** Their steps are of bits, and so are these sources. */
const BIT_CHAINS = CHAIN_NAMES.filter((name) => chainKind(name)!.bits);
const BIT_SOURCES = Object.keys(SOURCES).filter((name) => SOURCES[name]!.bits);
const OF_BITS = `^(${BIT_SOURCES.join("|")})(:|$)`;

export const CHAIN_RULES: readonly Rule[] = [
  {
    path: ["diffusion", "predict"],
    faults: ({ diffusion: { predict, process } }) =>
      unless(
        (predict === "kernel") === isChain(process),
        () => `${predict} is nothing that ${process} could step back by; choose ${predictionsOf(isChain(process))}`,
      ),
    cel: {
      holds: `(self.diffusion.predict == 'kernel') == ${CHAIN}`,
      message: `'%s is nothing that %s could step back by; choose %s'.format([self.diffusion.predict, self.diffusion.process, ${CHAIN} ? '${predictionsOf(true)}' : '${predictionsOf(false)}'])`,
    },
  },
  {
    path: ["diffusion", "objective"],
    faults: ({ diffusion: { objective, process } }) =>
      unless(
        OF_CHAINS.includes(objective) === isChain(process),
        () =>
          `${objective} does not judge the steps of ${process}; choose ${isChain(process) ? OF_CHAINS.join(", ") : "simple"}`,
      ),
    cel: {
      holds: `(self.diffusion.objective in ${quoted(OF_CHAINS)}) == ${CHAIN}`,
      message: `'%s does not judge the steps of %s; choose %s'.format([self.diffusion.objective, self.diffusion.process, ${CHAIN} ? '${OF_CHAINS.join(", ")}' : 'simple'])`,
    },
  },
  {
    path: ["data", "source"],
    faults: ({ data: { source }, diffusion: { process } }) =>
      unless(
        !BIT_CHAINS.some((name) => name === process) || new RegExp(OF_BITS).test(source),
        () => `holds no bits, which ${process} flips; choose ${BIT_SOURCES.join(", ")}`,
      ),
    cel: {
      holds: `!(self.diffusion.process in ${quoted(BIT_CHAINS)}) || self.data.source.matches('${OF_BITS}')`,
      message: `'holds no bits, which %s flips; choose ${BIT_SOURCES.join(", ")}'.format([self.diffusion.process])`,
    },
  },
  {
    path: ["data", "augment"],
    faults: ({ data: { augment }, diffusion: { process } }) =>
      unless(
        augment === 0 || !BIT_CHAINS.some((name) => name === process),
        () => `${augment} makes of bits what are none, which ${process} flips; set it to 0`,
      ),
    cel: {
      holds: `self.data.augment == 0.0 || !(self.diffusion.process in ${quoted(BIT_CHAINS)})`,
      message:
        "'%s makes of bits what are none, which %s flips; set it to 0'.format([self.data.augment, self.diffusion.process])",
    },
  },
  {
    path: ["sampling", "steps"],
    faults: ({ sampling: { steps }, diffusion: { process, timesteps } }) =>
      unless(
        !isChain(process) || steps === timesteps,
        () => `${steps} is not diffusion.timesteps ${timesteps}, all of which ${process} takes; set both alike`,
      ),
    cel: {
      holds: `!${CHAIN} || self.sampling.steps == self.diffusion.timesteps`,
      message:
        "'%d is not diffusion.timesteps %d, all of which %s takes; set both alike'.format([self.sampling.steps, self.diffusion.timesteps, self.diffusion.process])",
    },
  },
  {
    path: ["sampling", "guidance"],
    faults: ({ sampling: { guidance }, diffusion: { process } }) =>
      unless(
        guidance === 1 || !isChain(process),
        () => `${guidance} mixes two predictions of x_0, which ${process} does not make; set it to 1`,
      ),
    cel: {
      holds: `self.sampling.guidance == 1.0 || !${CHAIN}`,
      message:
        "'%s mixes two predictions of x_0, which %s does not make; set it to 1'.format([self.sampling.guidance, self.diffusion.process])",
    },
  },
];
