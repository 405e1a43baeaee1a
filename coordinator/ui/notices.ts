// What a person must know before anything else: that the line is lost, what is wrong, how the run ended and what to do next.

import { byId, el } from "./dom.ts";
import { clock, count, duration, number } from "./format.ts";
import type { Model } from "./model.ts";

let drawn = "";

/** @param onAgain looks whether the run has been started again. */
export function drawNotices(model: Model, onAgain: () => void): void {
  const host = byId("notice");
  const { link, ended, run, status } = model;
  const blocks: HTMLElement[] = [];
  let tone = "info";
  if (ended && status && run) {
    tone = { complete: "good", stopped: "warn", failed: "bad" }[ended.outcome];
    blocks.push(ending(model, onAgain));
  } else if (link.kind === "lost") {
    tone = "bad";
    blocks.push(
      el(
        "div",
        {},
        el("strong", {}, "The connection to the coordinator is lost."),
        el(
          "p",
          {},
          `Since ${clock(link.sinceMs)}; what is below is as of then. If the coordinator was killed, its supervisor is starting it again, and this page goes on by itself. If nothing comes back, look at the terminal where the run was started, or at ${run ? `${run.folder}/logs/coordinator.log` : "logs/coordinator.log in the run's folder"}.`,
        ),
      ),
    );
  }
  const warnings = new Set([
    ...(run?.warnings ?? []),
    ...model.events.flatMap(({ event }) => (event.kind === "warning" ? [event.message] : [])),
  ]);
  if (warnings.size > 0) {
    if (tone === "info") tone = "warn";
    blocks.push(
      el(
        "div",
        {},
        el("strong", {}, warnings.size === 1 ? "Warning" : `${warnings.size} warnings`),
        ...[...warnings].slice(-5).map((text) => el("p", {}, text)),
      ),
    );
  }
  const now = `${tone} ${blocks.map(({ textContent }) => textContent).join("|")}`;
  if (now === drawn) return;
  drawn = now;
  host.hidden = blocks.length === 0;
  host.dataset.tone = tone;
  host.replaceChildren(...blocks);
}

function ending({ ended, run, status, link }: Model, onAgain: () => void): HTMLElement {
  const { outcome, reason } = ended!;
  const { step, loss, wallSeconds } = status!;
  const folder = run!.folder;
  const title = { complete: "The run is complete", stopped: "The run was stopped", failed: "The run failed" }[outcome];
  const facts =
    outcome === "failed" ? reason : `${count(step)} steps in ${duration(wallSeconds)}, loss ${number(loss)}`;
  const digest = run!.ended
    ? ` Weights sha256 ${run!.ended.weightsSha256.slice(0, 16)}…, EMA ${run!.ended.emaSha256.slice(0, 16)}….`
    : "";
  const pictures = (...line: readonly [string, string]) => (run!.gridImages > 0 ? [line] : []);
  const next: Readonly<Record<typeof outcome, readonly (readonly [string, string])[]>> = {
    complete: [
      ...pictures(`plume sample ${folder} --count 16 -o samples.png`, "more pictures of it"),
      [`plume eval ${folder}`, "how good it is"],
      [`plume checkpoints export ${folder} -o ${run!.job}`, "weights for Python's diffusers"],
      [`plume audit ${folder}`, "that every sample was used exactly once"],
    ],
    stopped: [
      [`plume train -f ${folder}/job.yaml --out ${folder}`, `goes on at step ${count(step)}, to the same bits`],
      ...pictures(`plume sample ${folder} -o samples.png`, "pictures of what there is"),
    ],
    failed: [
      [`less ${folder}/logs/coordinator.log`, "what came before"],
      [
        `plume train -f ${folder}/job.yaml --out ${folder}`,
        "once the cause is gone: goes on from the newest checkpoint",
      ],
    ],
  };
  return el(
    "div",
    {},
    el("strong", {}, `${title}: ${facts}.`),
    el("p", {}, `${outcome === "failed" ? "" : `${reason}.`}${digest}`),
    el(
      "ul",
      {},
      ...next[outcome].map(([command, what]) =>
        el("li", {}, el("code", {}, command), copy(command), el("span", { class: "readout" }, what)),
      ),
    ),
    link.kind === "closed"
      ? el(
          "p",
          {},
          el("button", { type: "button", class: "small", onclick: onAgain }, "Look again"),
          " if it has been started again at this address.",
        )
      : null,
  );
}

/** Null where the browser lets no page write to the clipboard: over plain HTTP from another machine. */
function copy(text: string): HTMLElement | null {
  if (!navigator.clipboard) return null;
  const button = el("button", { type: "button", class: "small quiet", "aria-label": `Copy: ${text}` }, "copy");
  button.addEventListener("click", () => {
    void navigator.clipboard.writeText(text).then(() => {
      button.textContent = "copied";
    });
  });
  return button;
}
