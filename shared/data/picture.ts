// Grids of images as PNG files: gutters, whole-pixel magnification, class names above the columns.

import { rename } from "node:fs/promises";
import type { PatchShape } from "./patch.ts";
import { magnified } from "./resize.ts";

export interface GridOptions {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** 1 or 3; 2 of points. */
  readonly channels: number;
  readonly columns: number;
  /** Pixels a pixel; chosen by the image's size when absent. */
  readonly scale?: number;
  /** One a column. */
  readonly labels?: readonly string[];
}

const GUTTER = 4;
const BACKGROUND = 24;
const CAPTION = 18;
/** More of a caption that has several lines, and the width of a letter. */
const [LINE, LETTER] = [13, 6.2];

/**
 * Writes a PNG, whole or not at all: the images in a grid, or, where an image is one pixel of two channels, the points of the
 * plane that they are. `pixels` are uint8 [count, height, width, channels].
 */
export async function writeGrid(file: string, pixels: Uint8Array, options: GridOptions): Promise<void> {
  if (options.channels === 2) return writeGrid(file, scattered(pixels), ONE_PLANE);
  const { count, height, width, channels, columns, labels } = options;
  const { default: sharp } = await import("sharp"); // on demand: processes that draw nothing start sooner
  const scale = options.scale ?? Math.max(1, Math.floor(84 / width));
  const rows = Math.ceil(count / columns);
  const [cellW, cellH] = [width * scale + GUTTER, height * scale + GUTTER];
  const lines = labels?.map((label) => wrapped(label, cellW)) ?? [];
  const top = labels ? CAPTION + LINE * (Math.max(...lines.map(({ length }) => length)) - 1) : 0;
  const [W, H] = [columns * cellW + GUTTER, top + rows * cellH + GUTTER];
  const canvas = Buffer.alloc(W * H * 3, BACKGROUND);
  for (let k = 0; k < count; k++) {
    const left = GUTTER + (k % columns) * cellW;
    const upper = top + GUTTER + Math.floor(k / columns) * cellH;
    for (let y = 0; y < height * scale; y++)
      for (let x = 0; x < width * scale; x++) {
        const from = ((k * height + Math.floor(y / scale)) * width + Math.floor(x / scale)) * channels;
        const to = ((upper + y) * W + left + x) * 3;
        for (let c = 0; c < 3; c++) canvas[to + c] = pixels[from + (channels === 3 ? c : 0)]!;
      }
  }
  let image = sharp(canvas, { raw: { width: W, height: H, channels: 3 } });
  if (labels) image = image.composite([{ input: Buffer.from(captions(lines, cellW, [W, top])), left: 0, top: 0 }]);
  await image.png({ compressionLevel: 9 }).toFile(`${file}.tmp`);
  await rename(`${file}.tmp`, file);
}

export interface Column {
  readonly label: string;
  /** uint8 [rows, height, width, channels]. */
  readonly pixels: Uint8Array;
}

/** Rows of columns side by side where there are many: the grid stays about as wide as it is high. */
const acrossOf = (rows: number, columns: number): number => Math.ceil(Math.sqrt(rows / columns));

/** Writes a PNG of columns that go together, a row an image: before and after. */
export async function writeColumns(file: string, columns: readonly Column[], image: PatchShape): Promise<void> {
  const { height, width, channels } = image;
  const size = height * width * channels;
  const rows = columns[0]!.pixels.length / size;
  const across = acrossOf(rows, columns.length);
  const grid = new Uint8Array(rows * columns.length * size);
  columns.forEach(({ pixels }, c) => {
    for (let row = 0; row < rows; row++)
      grid.set(pixels.subarray(row * size, (row + 1) * size), (row * columns.length + c) * size);
  });
  const labels = Array.from({ length: across }, () => columns.map(({ label }) => label)).flat();
  await writeGrid(file, grid, {
    ...{ height, width, channels, labels },
    count: rows * columns.length,
    columns: across * columns.length,
  });
}

/** What an upsampler was given, square images of `side` pixels shown in squares, and what it drew. */
export function enlargedColumns(small: Uint8Array, side: number, drawn: Uint8Array, image: PatchShape): Column[] {
  const given = magnified(small, { ...image, height: side, width: side }, image);
  return [
    { label: `${side}x${side}`, pixels: given },
    { label: "drawn", pixels: drawn },
  ];
}

const SIDE = 256;
const ONE_PLANE: GridOptions = { count: 1, height: SIDE, width: SIDE, channels: 1, columns: 1, scale: 2 };

/** Points uint8 [n, 2], x to the right and y upwards, to their density uint8 [SIDE, SIDE]: brighter where there are more. */
function scattered(points: Uint8Array): Uint8Array {
  const plane = new Uint8Array(SIDE * SIDE);
  for (let k = 0; k < points.length; k += 2) {
    const at = (SIDE - 1 - points[k + 1]!) * SIDE + points[k]!;
    plane[at] = Math.min(255, plane[at]! + 96);
  }
  return plane;
}

/** As many words a line as are about as wide as an image. */
function wrapped(label: string, width: number): string[] {
  const most = Math.floor(width / LETTER);
  const lines: string[] = [];
  for (const word of label.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= most) lines.splice(-1, 1, longer);
    else lines.push(word);
  }
  return lines;
}

/** @param labels lines of each. */
function captions(labels: readonly (readonly string[])[], cellW: number, [W, H]: readonly [number, number]): string {
  const texts = labels.flatMap((lines, i) =>
    lines.map(
      (line, k) =>
        `<text x="${GUTTER + i * cellW + (cellW - GUTTER) / 2}" y="${13 + LINE * k}" text-anchor="middle">${escapeXml(line)}</text>`,
    ),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${W}" height="${H}" font-family="DejaVu Sans, Helvetica, sans-serif" font-size="11" fill="#ddd">${texts.join("")}</svg>`;
}

export const escapeXml = (text: string): string => text.replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`);
