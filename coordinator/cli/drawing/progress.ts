// How far a command's images are: a line that renews itself on a terminal, now and then a line elsewhere.

export interface ImageProgress {
  /** @param images that are there, those in the making as shares. @param of what they are, where there are several sets. */
  show(images: number, of?: string): void;
  /** Takes the line away. */
  end(): void;
}

const LIVE_MS = 100;
const QUIET_MS = 5_000;

/** @param now milliseconds. */
export function createImageProgress(output: NodeJS.WriteStream, count: number, now: () => number): ImageProgress {
  const started = now();
  let last = output.isTTY ? Number.NEGATIVE_INFINITY : started;
  return {
    show(images, of) {
      if (now() - last < (output.isTTY ? LIVE_MS : QUIET_MS)) return;
      last = now();
      const text = words(images, count, (last - started) / 1000) + (of === undefined ? "" : `: ${of}`);
      output.write(output.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
    },
    end: () => void (output.isTTY && output.write("\r\x1b[K")),
  };
}

function words(images: number, count: number, seconds: number): string {
  const rate = images / Math.max(seconds, 1e-6);
  const left = rate > 0 && images > 0 ? `, ${((count - images) / rate).toFixed(0)} s left` : "";
  return `  ${Math.floor(images)} of ${count} images, ${rate.toFixed(1)} images/s${left}`;
}
