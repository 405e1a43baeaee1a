// What happened, newest first, and the checkpoints among it.

import type { StampedEvent } from "../../shared/bus/event-log.ts";
import { byId, el, setText } from "./dom.ts";
import { bytes, clock, count, duration, moment } from "./format.ts";
import type { Model } from "./model.ts";
import { KINDS, type Kind, told } from "./words.ts";

/** Shown of each list. */
const MOST = 250;
const MOST_CHECKPOINTS = 60;

export function createEvents(): (model: Model) => void {
  const hidden = new Set<Kind>();
  let last: Model | null = null;
  for (const [kind, word] of Object.entries(KINDS) as [Kind, string][]) {
    const box = el("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(kind);
      else hidden.add(kind);
      if (last) draw(last);
    });
    byId("filters").append(el("label", {}, box, word));
  }

  const draw = (model: Model) => {
    last = model;
    const shown: HTMLElement[] = [];
    for (let i = model.events.length - 1; i >= 0 && shown.length < MOST; i--) {
      const stamped = model.events[i]!;
      const { kind, title, words, tone } = told(stamped);
      if (hidden.has(kind)) continue;
      shown.push(
        el(
          "tr",
          { class: tone },
          when(stamped),
          el("td", { class: "kind" }, title),
          el("td", { class: "words" }, words),
        ),
      );
    }
    const none = el("p", { class: "empty" }, model.events.length === 0 ? "Nothing yet." : "Nothing of these kinds.");
    const caption = el("tr", {}, ...["time", "what", "why"].map((word) => el("th", { scope: "col" }, word)));
    byId("events").replaceChildren(
      shown.length === 0 ? none : el("table", {}, el("thead", {}, caption), el("tbody", {}, ...shown)),
    );
  };
  return draw;
}

const when = ({ atMs }: StampedEvent) => el("td", { class: "when", title: moment(atMs) }, clock(atMs));

export function drawCheckpoints({ events, status }: Model): void {
  const rows: HTMLElement[] = [];
  const heads = ["time", "step", "size", "took", "waited for"];
  for (let i = events.length - 1; i >= 0 && rows.length < MOST_CHECKPOINTS; i--) {
    const stamped = events[i]!;
    const { event } = stamped;
    if (event.kind === "checkpoint-failed")
      rows.push(
        el(
          "tr",
          { class: "bad" },
          when(stamped),
          el("td", { class: "num" }, count(event.step)),
          el("td", { colspan: 3, class: "words" }, `failed: ${event.reason}`),
        ),
      );
    if (event.kind !== "checkpoint") continue;
    const cells = [count(event.step), bytes(event.bytes), duration(event.seconds), duration(event.stallSeconds)];
    rows.push(el("tr", { title: event.key }, when(stamped), ...cells.map((cell) => el("td", { class: "num" }, cell))));
  }
  const head = el("tr", {}, ...heads.map((word, i) => el("th", { scope: "col", class: i > 0 ? "num" : "" }, word)));
  byId("checkpoints").replaceChildren(
    rows.length === 0
      ? el("p", { class: "empty" }, "None yet.")
      : el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows)),
  );
  if (!status) return;
  const { written, failed, retried, stallSeconds } = status.saves;
  const parts = [
    `${count(written)} written`,
    failed > 0 ? `${failed} failed` : "",
    retried > 0 ? `${retried} tried again` : "",
    `training waited ${duration(stallSeconds)}`,
  ];
  setText(byId("checkpoints-value"), parts.filter(Boolean).join(", "));
}
