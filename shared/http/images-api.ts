// What those who ask a server for images and the server say to each other: POST /v1/images, and GET /v1/model before it.

/** Fields of a request: those of `plume sample`, by the names that JSON has. All may be left out. */
export const IMAGE_FIELDS = {
  prompt: "text",
  class: "text or number",
  count: "number",
  seed: "number",
  sampler: "text",
  steps: "number",
  guidance: "number",
  eta: "number",
  grid: "text",
  threshold: "text",
  percentile: "number",
  classifierScale: "number",
  lowResNoise: "number",
} as const;
export type ImageField = keyof typeof IMAGE_FIELDS;

export type ImageRequest = { readonly [F in ImageField]?: string | number };

/** GET /v1/model */
export interface ModelAnswer {
  /** The job's. */
  readonly name: string;
  /** Committed steps of the weights. */
  readonly step: number;
  readonly weights: string;
  /** channels 2: points of the plane, which the grid shows all together. */
  readonly image: { readonly width: number; readonly height: number; readonly channels: number };
  /** By their numbers; empty where images are of none. */
  readonly classes: readonly string[];
  /** Of a model that reads captions; without words of any. */
  readonly captions: { readonly words: readonly string[]; readonly examples: readonly string[] } | null;
  /** Whether guidance other than 1 does anything. */
  readonly guided: boolean;
  readonly samplers: readonly string[];
  /** Where nothing is asked. */
  readonly defaults: {
    readonly sampler: string;
    readonly steps: number;
    readonly guidance: number;
    readonly count: number;
    readonly seed: number;
  };
  readonly most: { readonly count: number; readonly steps: number };
}

export interface ImageAnswer {
  /** In the grid, from 0: with the seed it says which noise the image is of. */
  readonly index: number;
  /** Class or caption. */
  readonly called: string | null;
  /** Relative to the server. */
  readonly url: string;
}

/** What came of a request, asked for as application/json, and the event `done` of text/event-stream. */
export interface ImagesAnswer {
  readonly id: string;
  readonly step: number;
  readonly weights: string;
  readonly seed: number;
  readonly sampler: string;
  readonly steps: number;
  readonly guidance: number;
  readonly count: number;
  readonly seconds: number;
  /** The picture that `plume sample -o FILE.png` writes, and the array of FILE.npy. */
  readonly grid: string;
  readonly array: string;
  /** One by one; none of points. */
  readonly images: readonly ImageAnswer[];
}

export interface Refusal {
  readonly message: string;
  readonly remedy: string | null;
  /** Whose value it is of. */
  readonly field?: string;
}

/** Server-sent events of POST /v1/images with accept: text/event-stream, by name. The last is done or error. */
export interface ImageEvents {
  /** So many drawings come first. */
  readonly queued: { readonly ahead: number };
  /** Images that are there, those in the making as shares. */
  readonly progress: { readonly images: number; readonly count: number };
  readonly done: ImagesAnswer;
  readonly error: Refusal;
}
