// Who computed which micro-batches: one column a step (or every so many-th), one colour a worker.

import { sharesOf } from "./charts.ts";
import { byId, el, setText } from "./dom.ts";
import { count } from "./format.ts";
import type { Model } from "./model.ts";
import { workerColor } from "./theme.ts";

export function createBlocks(): (model: Model) => void {
  const canvas = el("canvas", { role: "img", tabindex: 0 });
  const first = el("span");
  const last = el("span");
  const keys = el("div", { class: "keys" });
  byId("blocks").append(el("div", { class: "map" }, canvas, el("div", { class: "ends" }, first, last)), keys);
  const readout = byId("blocks-value");
  let model: Model | null = null;
  let pointed: number | null = null;

  const read = () => {
    const columns = model?.columns ?? [];
    const column = columns[pointed ?? columns.length - 1];
    if (!model || !column) return setText(readout, "");
    const [step, blocks] = column;
    const shares = sharesOf(blocks, model.workers.length)
      .map((share, w) => (share > 0 ? `${model!.workers[w]} ${(100 * share).toFixed(0)} %` : ""))
      .filter(Boolean);
    setText(readout, `step ${count(step)}: ${shares.join(", ")}`);
    canvas.setAttribute(
      "aria-label",
      `Micro-batches by worker. Step ${step}: ${shares.join(", ")}. Left and right move through the steps.`,
    );
  };
  const point = (index: number | null) => {
    const { length } = model?.columns ?? [];
    pointed = index === null || length === 0 ? null : Math.min(length - 1, Math.max(0, index));
    read();
  };
  canvas.addEventListener("pointermove", (event) => {
    const { left, width } = canvas.getBoundingClientRect();
    point(Math.floor(((event.clientX - left) / width) * (model?.columns.length ?? 0)));
  });
  canvas.addEventListener("pointerleave", () => point(null));
  canvas.addEventListener("keydown", (event) => {
    const at = pointed ?? (model?.columns.length ?? 1) - 1;
    if (event.key === "ArrowLeft") point(at - 1);
    else if (event.key === "ArrowRight") point(at + 1);
    else if (event.key === "Escape") point(null);
    else return;
    event.preventDefault();
  });

  return (next) => {
    model = next;
    const { columns, workers } = next;
    paint(canvas, next);
    setText(first, columns.length > 0 ? `step ${count(columns[0]![0])}` : "");
    setText(last, columns.length > 0 ? `step ${count(columns.at(-1)![0])}` : "no step yet");
    if (keys.children.length !== workers.length)
      keys.replaceChildren(
        ...[...workers]
          .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
          .map((name) => el("span", { "--c": workerColor(name) }, name)),
      );
    read();
  };
}

function paint(canvas: HTMLCanvasElement, { columns, workers, run }: Model): void {
  const rows = run?.microBatches ?? 1;
  const width = Math.max(1, columns.length);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== rows) canvas.height = rows;
  const context = canvas.getContext("2d")!;
  context.clearRect(0, 0, width, rows);
  const colors = workers.map(workerColor);
  for (const [x, [, blocks]] of columns.entries())
    for (let i = 0; i < blocks.length; i += 3) {
      context.fillStyle = colors[blocks[i + 2]!] ?? "#888";
      context.fillRect(x, blocks[i]!, 1, blocks[i + 1]! - blocks[i]!);
    }
}
