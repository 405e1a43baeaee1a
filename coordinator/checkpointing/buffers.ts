// Memory for parts on their way: bounded, and kept for the next save, because the first touch of fresh memory costs ten
// times the copy (8 MiB: 12 ms and 1 ms), while training waits for it.
//
// I1. Buffers in use and kept never exceed the bound, save for one that is larger than it and then alone.

export interface Buffers {
  readonly limit: number;
  /** Bytes in use. */
  readonly used: number;
  /** Most that was ever in use. */
  readonly peak: number;
  /** Whether somebody waits for room. */
  readonly short: boolean;
  /** How often somebody had to. */
  readonly waits: number;
  /** A buffer of so many bytes at least, once there is room; first come, first served. */
  take(bytes: number): Promise<Uint8Array>;
  give(buffer: Uint8Array): void;
}

/** A kept buffer serves if not more than this share of it is wasted. */
const LARGEST_WASTE = 0.25;
/** Buffers are multiples of it. */
export const GRAIN = 1 << 16;

const roundUp = (bytes: number): number => Math.ceil(bytes / GRAIN) * GRAIN;

export function createBuffers(limit: number): Buffers {
  const kept: Uint8Array[] = [];
  const waiting: { readonly bytes: number; readonly resolve: (buffer: Uint8Array) => void }[] = [];
  let used = 0;
  let keptBytes = 0;
  let peak = 0;
  let waits = 0;

  const reuse = (bytes: number): Uint8Array | null => {
    const size = roundUp(bytes);
    const index = kept.findIndex(({ byteLength }) => byteLength >= size && size >= byteLength * (1 - LARGEST_WASTE));
    if (index < 0) return null;
    const [buffer] = kept.splice(index, 1);
    keptBytes -= buffer!.byteLength;
    return buffer!;
  };
  const allocate = (bytes: number): Uint8Array => {
    const size = roundUp(bytes);
    while (kept.length > 0 && used + keptBytes + size > limit) keptBytes -= kept.shift()!.byteLength;
    return Buffer.allocUnsafeSlow(size);
  };
  /** Null while there is no room. */
  const tryTake = (bytes: number): Uint8Array | null => {
    const buffer = reuse(bytes) ?? (used === 0 || used + bytes + GRAIN <= limit ? allocate(bytes) : null);
    if (!buffer) return null;
    used += buffer.byteLength;
    peak = Math.max(peak, used);
    return buffer;
  };

  return {
    limit,
    get used() {
      return used;
    },
    get peak() {
      return peak;
    },
    get short() {
      return waiting.length > 0;
    },
    get waits() {
      return waits;
    },
    async take(bytes) {
      const buffer = waiting.length === 0 ? tryTake(bytes) : null;
      if (buffer) return buffer;
      waits++;
      return new Promise((resolve) => waiting.push({ bytes, resolve }));
    },
    give(buffer) {
      used -= buffer.byteLength;
      kept.push(buffer);
      keptBytes += buffer.byteLength;
      while (waiting.length > 0) {
        const next = tryTake(waiting[0]!.bytes);
        if (!next) return;
        waiting.shift()!.resolve(next);
      }
    },
  };
}
