// What was drawn, newest first: each image with its number, large when it is pressed, and to take along.

import { counted } from "../../../shared/counted.ts";
import type { ImageAnswer, ImageRequest, ImagesAnswer } from "../../../shared/http/images-api.ts";
import { el } from "../dom.ts";
import { count } from "../format.ts";
import type { Line } from "../line.ts";
import { createLarge, type Shown } from "./large.ts";

export interface Results {
  readonly host: HTMLElement;
  add(request: ImageRequest, answer: ImagesAnswer): void;
}

/** Results held in the browser. */
const MOST = 20;

/** @param onVary the same again, with other noise. */
export function createResults(line: Pick<Line, "picture">, onVary: (request: ImageRequest) => void): Results {
  const host = el("div", { class: "results", role: "region", "aria-label": "Images, newest first" });
  const large = createLarge();
  const addresses = new WeakMap<Element, Promise<string>[]>();
  const forgetOldest = () => {
    const oldest = host.lastElementChild;
    if (host.childElementCount <= MOST || !oldest) return;
    oldest.remove();
    for (const address of addresses.get(oldest) ?? []) void address.then(URL.revokeObjectURL, () => {});
  };
  return {
    host,
    add(request, answer) {
      const vary = () => onVary({ ...request, seed: answer.seed + 1 });
      const pictures = picturesOf(answer).map((each) => ({ ...each, address: line.picture(each.url) }));
      const shown = pictures.map((each): Shown => ({ ...each, vary }));
      const thumbs = shown.map((each, k) => thumbOf(each, () => large.show(shown, k)));
      const card = el(
        "article",
        { class: "result", "aria-label": titleOf(request) },
        el("h3", {}, titleOf(request)),
        el("p", { class: "readout" }, saysOf(answer)),
        el("ul", { class: "images" }, ...thumbs),
        el(
          "div",
          { class: "buttons" },
          el("button", { type: "button", onclick: vary }, "Variations"),
          download(line, "Download the grid", answer.grid, `${nameOf(request, answer)}.png`),
          download(line, "Download as .npy", answer.array, `${nameOf(request, answer)}.npy`),
        ),
      );
      host.prepend(card);
      addresses.set(
        card,
        pictures.map(({ address }) => address),
      );
      forgetOldest();
    },
  };

  function picturesOf(answer: ImagesAnswer) {
    const single = ({ index, called, url }: ImageAnswer) => ({
      ...{ url, label: `#${index}`, file: `seed-${answer.seed}-image-${index}.png` },
      about: `Image ${index} of seed ${answer.seed}${called === null ? "" : `: ${called}`}`,
    });
    if (answer.images.length > 0) return answer.images.map(single);
    const about = `${counted(answer.count, "point")} of seed ${answer.seed}`;
    return [{ url: answer.grid, label: counted(answer.count, "point"), about, file: `seed-${answer.seed}.png` }];
  }
}

function thumbOf({ address, about, label }: Shown, onPress: () => void): HTMLElement {
  const image = el("img", { alt: about });
  const button = el("button", { type: "button", "aria-label": `${about}, larger`, onclick: onPress }, image);
  address.then(
    (source) => {
      image.src = source;
    },
    () => button.replaceChildren("gone"),
  );
  return el("li", {}, button, el("span", {}, label));
}

function titleOf({ prompt, class: named }: ImageRequest): string {
  if (prompt !== undefined) return String(prompt);
  return named === undefined ? "Images" : `Class ${named}`;
}

function saysOf({ seed, sampler, steps, guidance, step, seconds }: ImagesAnswer): string {
  const how = `seed ${seed} · ${sampler}, ${steps} step${steps === 1 ? "" : "s"} · guidance ${guidance}`;
  return `${how} · weights of step ${count(step)} · ${seconds.toFixed(1)} s`;
}

function nameOf(request: ImageRequest, { seed }: ImagesAnswer): string {
  const words = titleOf(request)
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-");
  return `${words.slice(0, 60)}-seed-${seed}`;
}

function download({ picture }: Pick<Line, "picture">, label: string, url: string, file: string): HTMLButtonElement {
  const button = el("button", { type: "button" }, label);
  button.addEventListener("click", async () => {
    try {
      const address = await picture(url);
      el("a", { href: address, download: file }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch {
      button.textContent = "gone: draw it again";
      button.disabled = true;
    }
  });
  return button;
}
