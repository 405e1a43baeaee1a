// What is asked for: the fields that fit the model, each with its mistake beside it.

import type { ImageField, ImageRequest, ModelAnswer, Refusal } from "../../../shared/http/images-api.ts";
import { el } from "../dom.ts";

export interface Fields {
  readonly form: HTMLFormElement;
  readonly submit: HTMLButtonElement;
  readonly cancel: HTMLButtonElement;
  /** null when a field holds what cannot be sent; it says so then. */
  request(): ImageRequest | null;
  set(request: ImageRequest): void;
  /** Beside the field that it is of, else below them all. */
  refuse(refusal: Refusal): void;
  clear(): void;
}

type Control = HTMLInputElement | HTMLSelectElement;

interface Field {
  readonly control: Control;
  readonly row: HTMLElement;
  readonly mistake: HTMLElement;
}

/** As many are drawn at first, where the job has more: to have them soon. */
const FEW = 16;
const MOST_SEED = 2 ** 31;

export function createFields(model: ModelAnswer): Fields {
  const { defaults, most } = model;
  const fields = new Map<ImageField, Field>();
  const add = (name: ImageField, label: string, control: Control, ...more: readonly Node[]) => {
    const made = fieldOf(name, label, control, more);
    fields.set(name, made);
    return made.row;
  };
  const number = (
    name: ImageField,
    label: string,
    value: number,
    limits: { min: number; max?: number; step?: string },
  ) => add(name, label, el("input", { type: "number", value, inputmode: "decimal", ...limits }));

  const what = [model.captions && promptRow(model.captions, add), classRow(model, add)];
  const seed = el("input", { type: "number", value: defaults.seed, min: 0, step: 1, inputmode: "numeric" });
  const anew = el("button", { type: "button", class: "small" }, "New seed");
  anew.addEventListener("click", () => {
    seed.value = String(Math.floor(Math.random() * MOST_SEED));
  });
  const how = [
    number("count", "images", Math.min(FEW, defaults.count), { min: 1, max: most.count }),
    add("seed", "seed", seed, anew),
    number("steps", "steps", defaults.steps, { min: 1, max: most.steps }),
    model.samplers.length > 1 ? add("sampler", "sampler", select(model.samplers, defaults.sampler)) : null,
    model.guided ? number("guidance", "guidance", defaults.guidance, { min: 0, step: "any" }) : null,
  ];
  const general = el("p", { class: "mistake", role: "alert", hidden: true });
  const submit = el("button", { type: "submit", class: "primary" }, "Generate");
  const cancel = el("button", { type: "button", hidden: true }, "Cancel");
  const form = el(
    "form",
    { class: "ask", novalidate: true, "aria-label": "What to generate" },
    ...what,
    el("div", { class: "how" }, ...how),
    el("div", { class: "buttons" }, submit, cancel),
    general,
  );

  const clear = () => {
    general.hidden = true;
    for (const field of fields.values()) setMistake(field, "");
  };
  const refuse = ({ message, remedy, field }: Refusal) => {
    const of = field && fields.get(field as ImageField);
    const words = remedy ? `${message}: ${remedy}` : message;
    if (of) {
      setMistake(of, words);
      of.control.focus();
    } else {
      general.textContent = words;
      general.hidden = false;
    }
  };
  return {
    ...{ form, submit, cancel, clear, refuse },
    request() {
      const request: Record<string, string | number> = {};
      for (const [name, { control }] of fields) {
        if (!control.validity.badInput) {
          if (control.value !== "") request[name] = control.type === "number" ? Number(control.value) : control.value;
          continue;
        }
        refuse({ field: name, message: `${name} is no number`, remedy: null });
        return null;
      }
      return request as ImageRequest;
    },
    set(request) {
      for (const [name, { control }] of fields) control.value = String(request[name] ?? "");
    },
  };
}

function fieldOf(name: ImageField, label: string, control: Control, more: readonly Node[]): Field {
  const id = `ask-${name}`;
  const mistake = el("p", { class: "mistake", id: `${id}-mistake`, role: "alert", hidden: true });
  control.id = id;
  control.setAttribute("name", name);
  const row = el("div", { class: `field ${name}` }, el("label", { for: id }, label), control, ...more, mistake);
  return { control, row, mistake };
}

function setMistake({ control, mistake }: Field, words: string): void {
  mistake.textContent = words;
  mistake.hidden = words === "";
  if (words === "") {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-describedby");
  } else {
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", mistake.id);
  }
}

type Add = (name: ImageField, label: string, control: Control, ...more: readonly Node[]) => HTMLElement;

function promptRow({ words, examples }: NonNullable<ModelAnswer["captions"]>, add: Add): HTMLElement {
  const input = el("input", {
    ...{ type: "text", maxlength: 400, autocomplete: "off", autocapitalize: "none", spellcheck: "false" },
    placeholder: "without one: fixed prompts in turn",
  });
  const chips = examples.map((example) =>
    el(
      "button",
      {
        ...{ type: "button", class: "small" },
        onclick: () => {
          input.value = example;
          input.focus();
        },
      },
      example,
    ),
  );
  return add(
    "prompt",
    "prompt",
    input,
    el("div", { class: "examples", role: "group", "aria-label": "Example prompts" }, ...chips),
    // Without any it reads all.
    ...(words.length > 0
      ? [el("details", {}, el("summary", {}, `The ${words.length} words it knows`), el("p", {}, words.join(", ")))]
      : []),
  );
}

function classRow({ classes }: ModelAnswer, add: Add): HTMLElement | null {
  if (classes.length === 0) return null;
  const all = el("option", { value: "" }, "all in turn");
  const control = el("select", {}, all, ...classes.map((name, k) => el("option", { value: String(k) }, name)));
  return add("class", "class", control);
}

function select(values: readonly string[], chosen: string): HTMLSelectElement {
  return el("select", {}, ...values.map((value) => el("option", { value, selected: value === chosen }, value)));
}
