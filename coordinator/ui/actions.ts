// What may be asked of the run, each with a question first, and what came of it.

import { isOver } from "../../shared/bus/events.ts";
import type { Connection } from "./connection.ts";
import { byId, el } from "./dom.ts";
import { count } from "./format.ts";
import type { Model } from "./model.ts";

interface Action {
  readonly verb: string;
  readonly label: string;
  readonly title: string;
  readonly says: (model: Model) => string;
  readonly danger?: boolean;
  readonly asks?: "replicas";
  /** Whether it makes sense now. */
  readonly fits: (model: Model) => boolean;
  readonly done: (result: Record<string, unknown>) => string;
}

const goesOn = ({ status }: Model) => status !== null && !isOver(status.phase);
const isPaused = ({ status }: Model) => status?.phase === "Paused";

const ACTIONS: readonly Action[] = [
  {
    verb: "pause",
    label: "Pause",
    title: "Pause the run?",
    says: () => "The step in progress is finished; then nothing is computed until the run is resumed. Workers stay.",
    fits: (model) => goesOn(model) && !isPaused(model),
    done: ({ alreadyPaused }) =>
      alreadyPaused ? "It was paused already." : "The run pauses after the step in progress.",
  },
  {
    verb: "resume",
    label: "Resume",
    title: "Resume the run?",
    says: ({ status }) => `It goes on at step ${count(status?.step ?? 0)}.`,
    fits: isPaused,
    done: ({ wasPaused }) => (wasPaused ? "The run goes on." : "It was not paused."),
  },
  {
    verb: "checkpoint",
    label: "Checkpoint",
    title: "Save a checkpoint now?",
    says: () => "It is written in the background, and training goes on.",
    fits: goesOn,
    done: ({ step }) => `The checkpoint of step ${count(Number(step))} is written.`,
  },
  {
    verb: "scale",
    label: "Scale",
    title: "How many workers?",
    says: ({ status }) =>
      `${status?.desired} are asked for now; ${status?.min} to ${status?.max} are allowed. The result has the same bits at any number.`,
    asks: "replicas",
    fits: (model) => goesOn(model) && !isPaused(model),
    done: ({ before, replicas }) =>
      before === replicas ? `${replicas} were asked for already.` : `From ${before} to ${replicas} workers.`,
  },
  {
    verb: "stop",
    label: "Stop",
    title: "Stop the run?",
    says: () =>
      "The step in progress is finished and a checkpoint is saved; then all its processes end. The same command resumes it.",
    danger: true,
    fits: goesOn,
    done: ({ alreadyStopping }) => (alreadyStopping ? "It was stopping already." : "The run stops, with a checkpoint."),
  },
];

export function createActions(connection: Connection, model: Model): () => void {
  const buttons = ACTIONS.map((action) => {
    const button = el("button", { type: "button", class: action.danger ? "danger" : "" }, action.label);
    button.addEventListener("click", () => void carryOut(action, connection, model));
    byId("actions").append(button);
    return { action, button };
  });
  return () => {
    for (const { action, button } of buttons) {
      const swaps = action.verb === "pause" || action.verb === "resume";
      button.hidden = swaps && action.verb !== (isPaused(model) ? "resume" : "pause");
      button.disabled = model.link.kind !== "live" || !action.fits(model);
    }
  };
}

async function carryOut(action: Action, connection: Connection, model: Model): Promise<void> {
  const asked = await ask({
    title: action.title,
    says: action.says(model),
    button: action.label,
    danger: action.danger ?? false,
    ...(action.asks ? { field: numberField(model) } : {}),
  });
  if (asked === null) return;
  const answer = await connection.command(action.verb, action.asks ? { [action.asks]: Number(asked) } : {});
  if (answer.ok) toast(action.done(answer.result));
  else toast(answer.message, answer.remedy ?? "", "bad");
}

function numberField({ status }: Model): HTMLInputElement {
  const { min = 1, max = 1, desired = 1 } = status ?? {};
  return el("input", { type: "number", id: "asked", min, max, step: 1, value: desired, required: true });
}

interface Question {
  readonly title: string;
  readonly says: string;
  readonly button: string;
  readonly danger: boolean;
  readonly field?: HTMLInputElement;
  readonly label?: string;
}

/** @returns null when it was called off; else the field's value, or "". */
export function ask({ title, says, button, danger, field, label = "workers" }: Question): Promise<string | null> {
  const dialog = byId<HTMLDialogElement>("dialog");
  const cancel = el("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const yes = el("button", { type: "submit", class: danger ? "danger" : "primary" }, button);
  const form = el(
    "form",
    { method: "dialog" },
    el("h2", { id: "dialog-title" }, title),
    el("p", {}, says),
    field ? el("label", { for: field.id }, label, field) : null,
    el("div", { class: "buttons" }, cancel, yes),
  );
  dialog.replaceChildren(form);
  dialog.returnValue = "";
  return new Promise((resolve) => {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      dialog.close("yes");
    });
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes" ? (field?.value ?? "") : null), {
      once: true,
    });
    dialog.showModal();
    (field ?? yes).focus();
    field?.select();
  });
}

const TOAST_MS = 6_000;

/** What went well goes by itself; what did not stays until it was read. */
function toast(words: string, remedy = "", tone: "" | "bad" = ""): void {
  const close = el("button", { type: "button", class: "small quiet", "aria-label": "Dismiss" }, "✕");
  const element = el(
    "div",
    { class: `toast ${tone}` },
    el("div", {}, words, remedy ? el("p", {}, remedy) : null),
    close,
  );
  close.addEventListener("click", () => element.remove());
  byId("toasts").append(element);
  if (tone === "") setTimeout(() => element.remove(), TOAST_MS);
}
