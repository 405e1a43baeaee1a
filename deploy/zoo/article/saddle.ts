// Saddle point against minimisation.

import { chart, type Series } from "../../../shared/report/chart.ts";
import { figure, note, table } from "../../../shared/report/html.ts";
import { short } from "../../../shared/report/numbers.ts";
import { byPlayer } from "../../../shared/report/players.ts";
import type { RunRecord } from "../../../shared/report/read-run.ts";
import { columnsOf, type Point, smoothed } from "../../../shared/report/series.ts";
import type { Claim } from "./section.ts";
import { FAMILIES, FAMILY_NAMES } from "./systems.ts";
import { alternating, bestDenoiser, denoising, distance, type Place, regularised, simultaneous, walk } from "./toys.ts";

const H = 0.1;
const STEPS = 400;
const ORIGIN: Place = { x: 0, y: 0 };
const START: Place = { x: 1, y: 0 };

interface Toy {
  readonly name: string;
  readonly places: readonly Place[];
  readonly aim: Place;
}

function toys(): Toy[] {
  const game = (name: string, step: ReturnType<typeof simultaneous>): Toy => ({
    name,
    places: walk(step, START, STEPS),
    aim: ORIGIN,
  });
  const aim = bestDenoiser();
  return [
    game("the game, both at once", simultaneous(H)),
    game("the game, in turn", alternating(H)),
    game("the game with R1, both at once", regularised(H, 0.5)),
    { name: "denoising regression", places: walk(denoising(H), { x: aim.x + 1, y: aim.y }, STEPS), aim },
  ];
}

const fromAim = ({ places, aim }: Toy): number[] => places.map((place) => distance(place, aim));

function paths(all: readonly Toy[]): string {
  const series = all.map(({ name, places, aim }, colour): Series => {
    const points = places.slice(0, STEPS / 2).map(({ x, y }) => ({ x: x - aim.x, y: y - aim.y }));
    return { name, colour, columns: columnsOf(points) };
  });
  return figure("Ways of the two numbers around their aim", chart({ series, xLabel: "x" }));
}

function distances(all: readonly Toy[]): string {
  const series = all.map((toy, colour): Series => {
    const points = fromAim(toy).map((y, x) => ({ x, y: Math.max(y, 1e-6) }));
    return { name: toy.name, colour, columns: columnsOf(points) };
  });
  return figure("Distance to the aim", chart({ series, xLabel: "step", scale: "log" }));
}

function distanceTable(all: readonly Toy[]): string {
  const at = [0, 50, 200, STEPS];
  const rows = all.map((toy) => [toy.name, ...at.map((step) => short(fromAim(toy)[step]))]);
  return table([["distance after", ...at.map((step) => `${step} steps`)], ...rows], { numbers: [1, 2, 3, 4] });
}

type Value = "loss" | "gradNorm";

/** Of each network of a run a curve. */
function curves(run: RunRecord, value: Value): Series[] {
  return byPlayer(run).map(({ player, steps }, colour): Series => {
    const points = steps.map((line): Point => ({ x: line.step, y: line[value] }));
    return { name: player ?? "the network", colour, columns: columnsOf(smoothed(points)) };
  });
}

function realRun(family: string, run: RunRecord): string[] {
  const picture = (title: string, value: Value) =>
    figure(`${family}: ${title}, smoothed`, chart({ series: curves(run, value), xLabel: "step" }));
  return [`<div class="pair">${picture("loss", "loss")}${picture("norm of the gradient", "gradNorm")}</div>`];
}

export const saddle: Claim = {
  title: "A saddle point, or a minimum",
  claim:
    "A GAN looks for a saddle point of a game, which gradient descent may circle or leave; a diffusion model minimises one loss.",
  experiment: `The smallest game, min over x, max over y of x y, by gradient steps of ${H}: both players at once, in turn, and with R1's penalty of 0.5; beside it the regression of a linear denoiser, from as far away. Below, the first seed of both real jobs.`,
  async show(bench) {
    const all = toys();
    const seed = bench.seeds[0]!;
    const runs = [];
    for (const family of FAMILY_NAMES)
      runs.push(...realRun(family, await bench.trained(FAMILIES[family].system, seed)));
    return [
      `<div class="pair">${paths(all)}${distances(all)}</div>`,
      distanceTable(all),
      note(
        "Without a penalty the game's players never arrive: at once they leave, in turn they circle. With R1 they arrive too, and so does what is regressed: the penalty, not the two networks, decides here.",
      ),
      ...runs,
      note(
        "The loss of a diffusion model falls and can be compared between runs; those of the players say how the game stands between them, and not how good the images are.",
      ),
    ];
  },
};
