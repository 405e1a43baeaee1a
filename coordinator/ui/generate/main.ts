// The page of plume serve: what the model is, and the box to ask from.

import type { ModelAnswer } from "../../../shared/http/images-api.ts";
import { ask } from "../actions.ts";
import { byId, el, setText } from "../dom.ts";
import { count } from "../format.ts";
import { createLine } from "../line.ts";
import { setUpTheme } from "../theme.ts";
import { createBox } from "./box.ts";
import { refusalIn } from "./draw.ts";

const line = createLine();
setUpTheme(byId<HTMLButtonElement>("theme"), () => {});
void open();

async function open(): Promise<void> {
  try {
    const response = await line.ask("v1/model");
    if (response.status === 401) return unlock();
    if (!response.ok) return setText(byId("about"), (await refusalIn(response)).message);
    const model: ModelAnswer = await response.json();
    document.title = `${model.name} – plume`;
    setText(byId("job"), model.name);
    setText(byId("about"), aboutOf(model));
    createBox(byId("generate"), line, model);
  } catch {
    setText(byId("about"), "no answer; load the page again");
  }
}

function aboutOf({ step, weights, image: { width, height, channels } }: ModelAnswer): string {
  const shape =
    channels === 2 ? "points of the plane" : `${width}×${height} pixels, ${channels === 1 ? "grey" : "colour"}`;
  return `step ${count(step)}, ${weights === "ema" ? "EMA" : weights} weights, ${shape}`;
}

async function unlock(): Promise<void> {
  const token = await ask({
    title: "This server is locked",
    says: `${line.hasToken ? "That was not its token. " : ""}plume serve printed it, or PLUME_TOKEN has it.`,
    button: "Open",
    danger: false,
    field: el("input", { type: "password", id: "asked", autocomplete: "off", required: true }),
    label: "token",
  });
  if (!token) return setText(byId("about"), "locked; load the page again");
  line.unlock(token);
  return open();
}
