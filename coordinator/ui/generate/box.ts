// The box to ask from: fields, how far it is, what came of it. On a page of its own and on the live page of a run.

import type { ImageRequest, ImagesAnswer, ModelAnswer, Refusal } from "../../../shared/http/images-api.ts";
import { el, setText } from "../dom.ts";
import type { Line } from "../line.ts";
import { draw } from "./draw.ts";
import { createFields } from "./fields.ts";
import { createResults } from "./results.ts";

export function createBox(host: HTMLElement, line: Pick<Line, "ask" | "picture">, model: ModelAnswer): void {
  const fields = createFields(model);
  const progress = createProgress();
  const results = createResults(line, (request) => {
    fields.set(request);
    fields.form.requestSubmit();
  });
  let current: AbortController | null = null;

  const busy = (is: boolean) => {
    fields.submit.disabled = is;
    fields.cancel.hidden = !is;
    if (!is) progress.end();
  };
  const refused = (refusal: Refusal) => {
    fields.refuse(refusal);
    progress.say("");
  };
  const submit = async () => {
    fields.clear();
    const request = fields.request();
    if (!request || current) return;
    const stop = new AbortController();
    current = stop;
    busy(true);
    progress.say("asked");
    const done = (answer: ImagesAnswer) => {
      results.add(described(request, model), answer);
      progress.say(`${answer.count} image${answer.count === 1 ? "" : "s"} in ${answer.seconds.toFixed(1)} s`);
    };
    await draw(line, request, { ...progress, done, error: refused }, stop.signal);
    if (stop.signal.aborted) progress.say("called off");
    current = null;
    busy(false);
  };
  fields.form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  fields.cancel.addEventListener("click", () => current?.abort());
  host.replaceChildren(fields.form, progress.host, results.host);
}

/** With its class by name, as far as it has one. */
const described = (request: ImageRequest, { classes }: ModelAnswer): ImageRequest =>
  request.class === undefined ? request : { ...request, class: classes[Number(request.class)] ?? request.class };

function createProgress() {
  const bar = el("div");
  const track = el(
    "div",
    { class: "track", role: "progressbar", "aria-label": "Images drawn", "aria-valuemin": 0, "aria-valuemax": 100 },
    bar,
  );
  const words = el("p", { role: "status" });
  const host = el("div", { class: "drawing" }, track, words);
  const show = (percent: number) => {
    track.hidden = false;
    bar.style.width = `${percent}%`;
    track.setAttribute("aria-valuenow", percent.toFixed(0));
  };
  track.hidden = true;
  return {
    host,
    say: (text: string) => setText(words, text),
    queued({ ahead }: { readonly ahead: number }) {
      show(0);
      if (ahead > 0) setText(words, ahead === 1 ? "one drawing comes first" : `${ahead} drawings come first`);
    },
    progress({ images, count }: { readonly images: number; readonly count: number }) {
      show(count > 0 ? (100 * images) / count : 0);
      setText(words, count > 0 ? `${Math.floor(images)} of ${count} images` : "begins");
    },
    end() {
      track.hidden = true;
    },
  };
}
