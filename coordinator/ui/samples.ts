// The sample grid as it grows: one picture, a slider over the steps of which there are some; it follows the newest until
// another is chosen.

import type { Connection } from "./connection.ts";
import { byId, el } from "./dom.ts";
import { count } from "./format.ts";
import type { Model } from "./model.ts";

/** Pictures held in the browser. */
const MOST = 60;

export function createSamples({ picture }: Pick<Connection, "picture">): (model: Model) => void {
  const host = byId("samples");
  const value = byId("sample-value");
  const image = el("img", { alt: "", hidden: true });
  const empty = el("p", { class: "empty" });
  const slider = el("input", { type: "range", min: 0, max: 0, step: 1, "aria-label": "Step of the samples" });
  const before = el("button", { type: "button", class: "small", "aria-label": "Earlier samples" }, "‹");
  const after = el("button", { type: "button", class: "small", "aria-label": "Later samples" }, "›");
  const controls = el("div", { class: "slider", hidden: true }, before, slider, after);
  host.append(el("div", { class: "picture" }, image, empty), controls);

  const addresses = new Map<string, Promise<string>>();
  let model: Model | null = null;
  let follows = true;
  let wanted = "";

  const address = (key: string, url: string) => {
    const known = addresses.get(key) ?? picture(url);
    addresses.delete(key);
    addresses.set(key, known);
    if (addresses.size > MOST) {
      const [oldest, gone] = addresses.entries().next().value!;
      addresses.delete(oldest);
      void gone.then(URL.revokeObjectURL, () => {});
    }
    return known;
  };

  const show = async () => {
    const samples = model?.samples ?? [];
    const index = Math.min(samples.length - 1, Number(slider.value));
    const chosen = samples[index];
    if (!chosen) return;
    before.disabled = index === 0;
    after.disabled = index === samples.length - 1;
    value.textContent = `step ${count(chosen.step)} (${index + 1} of ${samples.length})`;
    slider.setAttribute("aria-valuetext", `step ${chosen.step}`);
    if (wanted === chosen.url) return;
    wanted = chosen.url;
    try {
      const source = await address(chosen.url, chosen.url);
      if (wanted !== chosen.url) return; // another was chosen meanwhile
      image.src = source;
      image.alt = `Sample grid of step ${chosen.step}`;
      image.hidden = false;
      empty.hidden = true;
    } catch {
      addresses.delete(chosen.url);
      wanted = ""; // asked for again with the next news
    }
  };

  const choose = (index: number) => {
    slider.value = String(index);
    follows = Number(slider.value) === (model?.samples.length ?? 0) - 1;
    void show();
  };
  slider.addEventListener("input", () => choose(Number(slider.value)));
  before.addEventListener("click", () => choose(Number(slider.value) - 1));
  after.addEventListener("click", () => choose(Number(slider.value) + 1));

  return (next) => {
    model = next;
    const draws = next.run?.gridImages !== 0;
    empty.textContent = draws
      ? "None yet: sampling.everySteps says when, and the end brings one."
      : "None: this job draws no pictures.";
    const { length } = next.samples;
    controls.hidden = length < 2;
    slider.max = String(Math.max(0, length - 1));
    if (follows) slider.value = slider.max;
    void show();
  };
}
