// On the live page: the box to ask from, once somebody wants it. The process that draws begins with the first question.

import type { ModelAnswer } from "../../../shared/http/images-api.ts";
import { byId, el, setText } from "../dom.ts";
import type { Line } from "../line.ts";
import { createBox } from "./box.ts";
import { refusalIn } from "./draw.ts";

/** @returns shows the panel where the run's images can be asked for. */
export function createPanel(line: Pick<Line, "ask" | "picture">): (offered: boolean) => void {
  const host = byId("generate");
  const button = el("button", { type: "button" }, "Draw from the newest checkpoint");
  let isOpen = false;
  const says = el("p", { role: "status" }, HINT);
  host.append(el("div", { class: "open" }, button, says));
  button.addEventListener("click", async () => {
    button.disabled = true;
    setText(says, "a process begins that draws; it gives way to training");
    try {
      const response = await line.ask("v1/model");
      if (response.ok) {
        createBox(host, line, (await response.json()) as ModelAnswer);
        isOpen = true;
        return;
      }
      const { message, remedy } = await refusalIn(response);
      setText(says, remedy ? `${message}: ${remedy}` : message);
    } catch {
      setText(says, "no answer");
    }
    button.disabled = false;
  });
  return (offered) => {
    byId("generate-panel").hidden = !offered && !isOpen; // what was drawn stays when the run is over
  };
}

const HINT = "Training goes first: while it keeps all cores busy, images take their time.";
