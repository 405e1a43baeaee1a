// Sample grids while a run goes on: the workers draw tiles of the picture with the EMA weights, in a round of their own
// between two steps. Image k depends on the weights, the seed and k alone.

import { createHash } from "node:crypto";
import type { Bus } from "../../shared/bus/bus.ts";
import type { JobSpec } from "../../shared/config/schema.ts";
import type { ImageSetCard } from "../../shared/data/image-set.ts";
import { type Column, enlargedColumns, writeColumns, writeGrid } from "../../shared/data/picture.ts";
import { invariant } from "../../shared/invariant.ts";
import type { Reducer } from "../../shared/kernels/reducer.ts";
import { jobPrompts } from "../../shared/pipeline/captions.ts";
import { type HeldOut, readHeldOut } from "../../shared/pipeline/held-out.ts";
import { gridImages, tileRange, tilesOf } from "../../shared/pipeline/tiles.ts";
import { consecutive, fillRegions, readRegions } from "../../shared/tensor/regions.ts";
import type { Block } from "../../shared/tensor/tree.ts";
import { type Tracer, traced } from "../../shared/tracing/tracer.ts";
import type { Collector, Sink } from "../aggregation/sink.ts";
import type { Dispatcher } from "../dispatcher.ts";
import type { RunFolder } from "../files/run-folder.ts";
import type { SharedMemory } from "../files/shared-memory.ts";

export interface Gallery {
  /** Draws samples/step-<n>.png; returns null when there is nothing to draw or the run was stopped first. */
  draw(step: number, stop: AbortSignal): Promise<string | null>;
}

export interface GalleryOptions {
  readonly spec: JobSpec;
  /** That its columns are; 0 where images are of no class. */
  readonly classes: number;
  readonly set: ImageSetCard;
  readonly reducer: Reducer;
  readonly dispatcher: Dispatcher;
  readonly sharedMemory: SharedMemory;
  readonly folder: RunFolder;
  readonly bus: Bus;
  readonly tracer: Tracer;
}

export function createGallery(options: GalleryOptions): Gallery {
  const { spec, classes, set, reducer, dispatcher, sharedMemory, folder, bus, tracer } = options;
  const count = gridImages(spec);
  const { height, width, channels } = set;
  const imageBytes = height * width * channels;
  /** Of an upsampler, or a decoder without a prior: the same for every grid. */
  let given: HeldOut | undefined;
  return {
    async draw(step, stop) {
      if (count === 0) return null;
      await sharedMemory.publish("ema", dispatcher.version, (file) => reducer.save(reducer.ema, file));
      const pixels = new Uint8Array(count * imageBytes);
      const collect = (): Collector => ({
        open: (block) => openPixelSink(pixels, block, count, imageBytes),
        dispose: () => {},
      });
      const vectorDigest = await reducer.digest(reducer.ema);
      const span = tracer.span("sample", { attributes: { "plume.step": step } });
      dispatcher.open({ kind: "sample", step, V: tilesOf(count), vectorDigest, traceParent: span.context, collect });
      const drawn = await traced(span, () => dispatcher.finish(stop));
      if (!drawn) return null;
      const file = folder.file("samples", `step-${String(step).padStart(8, "0")}.png`);
      given ??= await readHeldOut(spec, count);
      if (given) await writeColumns(file, besideGiven(given, pixels, spec, set), set);
      else await writeGrid(file, pixels, { count, height, width, channels, ...columnsOf(spec, classes, count, set) });
      bus.publish({ kind: "sample", step, file });
      return file;
    },
  };
}

/** What images were drawn from, and they. */
function besideGiven(given: HeldOut, drawn: Uint8Array, { model: { lowRes } }: JobSpec, set: ImageSetCard): Column[] {
  if (lowRes) return enlargedColumns(given.pixels, lowRes.size, drawn, set);
  return [
    { label: "told of", pixels: given.pixels },
    { label: "drawn", pixels: drawn },
  ];
}

/** One a prompt or a class, or as many as rows. */
function columnsOf(spec: JobSpec, classes: number, count: number, set: ImageSetCard) {
  const prompts = (spec.model.text || spec.models.prior) && jobPrompts(spec);
  if (prompts) return { columns: prompts.length, labels: prompts };
  if (classes === 0) return { columns: Math.ceil(Math.sqrt(count)) };
  return { columns: classes, ...(set.classes.length > 0 && { labels: set.classes.slice(0, classes) }) };
}

function openPixelSink(pixels: Uint8Array, block: Block, count: number, imageBytes: number): Sink {
  const { from, to } = tileRange(block, count);
  // A private buffer, so that a half-arrived payload never shows in the picture.
  const buffer = new Uint8Array((to - from) * imageBytes);
  return {
    bytes: buffer.byteLength,
    fill(source) {
      invariant(source.kind !== "push", "pixels come to the coordinator");
      if (source.kind === "file") return readRegions(source.file, consecutive([buffer]));
      return fillRegions(source.chunks, [buffer]);
    },
    arrived: async () => createHash("sha256").update(buffer).digest("hex"),
    collect: async () => pixels.set(buffer, from * imageBytes),
    discard: () => {},
  };
}
