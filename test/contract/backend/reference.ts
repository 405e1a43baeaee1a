// Plain float64 loops over arrays of any rank: what each operation of a backend has to give. Owns no tensor, shares no
// code with any backend.

export interface Nd {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** An array from the value at every index, row-major. */
export function build(shape: readonly number[], value: (index: number[]) => number): Nd {
  const data = new Float64Array(sizeOf(shape));
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = value(index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
  return { shape, data };
}

/** The element at an index; axes of length 1 and missing leading axes repeat, as in NumPy. */
export function at({ shape, data }: Nd, index: readonly number[]): number {
  const skipped = index.length - shape.length;
  return data[shape.reduce((offset, n, axis) => offset * n + (n === 1 ? 0 : index[axis + skipped]!), 0)]!;
}

export function map(f: (...values: number[]) => number, ...xs: Nd[]): Nd {
  const rank = Math.max(...xs.map(({ shape }) => shape.length));
  const shape = Array.from({ length: rank }, (_, axis) =>
    Math.max(...xs.map((x) => x.shape[axis - rank + x.shape.length] ?? 1)),
  );
  return build(shape, (index) => f(...xs.map((x) => at(x, index))));
}

/** Sums over axes and drops them. */
export function sum(x: Nd, axes: readonly number[]): Nd {
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const counted = build(
    axes.map((axis) => x.shape[axis]!),
    () => 0,
  ).shape;
  return build(
    kept.map((axis) => x.shape[axis]!),
    (index) => {
      const full = x.shape.map(() => 0);
      kept.forEach((axis, k) => {
        full[axis] = index[k]!;
      });
      let total = 0;
      build(counted, (reduced) => {
        axes.forEach((axis, k) => {
          full[axis] = reduced[k]!;
        });
        total += at(x, full);
        return 0;
      });
      return total;
    },
  );
}

export const transpose = (x: Nd, order: readonly number[]): Nd =>
  build(
    order.map((axis) => x.shape[axis]!),
    (index) =>
      at(
        x,
        order.map((_, axis) => index[order.indexOf(axis)]!),
      ),
  );

/** [..., m, k] [..., k, n] -> [..., m, n], batches broadcast. */
export function matMul(a: Nd, b: Nd): Nd {
  const rank = Math.max(a.shape.length, b.shape.length);
  const outer = Array.from({ length: rank - 2 }, (_, axis) =>
    Math.max(a.shape[axis - rank + a.shape.length] ?? 1, b.shape[axis - rank + b.shape.length] ?? 1),
  );
  const k = a.shape.at(-1)!;
  return build([...outer, a.shape.at(-2)!, b.shape.at(-1)!], (index) => {
    const batch = index.slice(0, -2);
    let total = 0;
    for (let q = 0; q < k; q++) total += at(a, [...batch, index.at(-2)!, q]) * at(b, [...batch, q, index.at(-1)!]);
    return total;
  });
}

export const swapLast = (x: Nd): Nd =>
  transpose(x, [...x.shape.keys()].slice(0, -2).concat(x.shape.length - 1, x.shape.length - 2));

/** The sides of padding: what TensorFlow's "same" puts before and after, the smaller half first. */
export function samePadding(side: number, k: number, stride: number): [before: number, after: number] {
  const all = Math.max(0, (Math.ceil(side / stride) - 1) * stride + k - side);
  return [Math.floor(all / 2), all - Math.floor(all / 2)];
}

export type Padding = readonly [rows: readonly [number, number], columns: readonly [number, number]];

/** Every window of x [B,H,W,C], as the elements inside the image: -> [B,H',W',C']. */
function windows(
  x: Nd,
  k: number,
  stride: number,
  [rows, columns]: Padding,
  channels: number,
  value: (n: number, c: number, inside: readonly (readonly [y: number, x: number, di: number, dj: number])[]) => number,
): Nd {
  const [B, H, W] = x.shape as [number, number, number, number];
  const out = (side: number, [before, after]: readonly [number, number]) =>
    Math.floor((side + before + after - k) / stride) + 1;
  return build([B, out(H, rows), out(W, columns), channels], ([n, i, j, c]) => {
    const inside: [number, number, number, number][] = [];
    for (let di = 0; di < k; di++)
      for (let dj = 0; dj < k; dj++) {
        const [y, z] = [i! * stride + di - rows[0], j! * stride + dj - columns[0]];
        if (y >= 0 && z >= 0 && y < H && z < W) inside.push([y, z, di, dj]);
      }
    return value(n!, c!, inside);
  });
}

/** x [B,H,W,Ci], w [k,k,Ci,Co], b [Co] or null -> [B,H',W',Co]. */
export function convolution(x: Nd, w: Nd, b: Nd | null, stride: number, padding: Padding): Nd {
  const [k, , Ci, Co] = w.shape as [number, number, number, number];
  return windows(x, k, stride, padding, Co, (n, o, inside) => {
    let total = b ? b.data[o]! : 0;
    for (const [y, z, di, dj] of inside)
      for (let c = 0; c < Ci; c++) total += at(x, [n, y, z, c]) * at(w, [di, dj, c, o]);
    return total;
  });
}

/** The mean or the largest of the elements of each window that lie inside the image. */
export function pool(kind: "mean" | "max", x: Nd, k: number, stride: number, padding: Padding): Nd {
  return windows(x, k, stride, padding, x.shape[3]!, (n, c, inside) => {
    const values = inside.map(([y, z]) => at(x, [n, y, z, c]));
    return kind === "max" ? Math.max(...values) : values.reduce((total, v) => total + v, 0) / values.length;
  });
}

/** Over the last axis. */
export function logSoftmax(x: Nd): Nd {
  const C = x.shape.at(-1)!;
  return build(x.shape, (index) => {
    const row = Array.from({ length: C }, (_, c) => at(x, [...index.slice(0, -1), c]));
    const top = Math.max(...row);
    return at(x, index) - top - Math.log(row.reduce((total, v) => total + Math.exp(v - top), 0));
  });
}

export const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));

/** x [B, ..., C]; gain, offset [C]; modulation [B, 2C] (scale | shift) or null. Wu and He 2018, Eq. 1-2 and 6. */
export function groupNorm(x: Nd, gain: Nd, offset: Nd, modulation: Nd | null, groups: number, eps: number): Nd {
  const [B, C] = [x.shape[0]!, x.shape.at(-1)!];
  const flat: Nd = { shape: [B, x.data.length / (B * C), groups, C / groups], data: x.data };
  const count = sizeOf(flat.shape) / (B * groups);
  const mean = map((v) => v / count, sum(flat, [1, 3]));
  const spread = build(flat.shape, (index) => (at(flat, index) - at(mean, [index[0]!, index[2]!])) ** 2);
  const variance = map((v) => v / count, sum(spread, [1, 3]));
  return build(x.shape, (index) => {
    const [n, c] = [index[0]!, index.at(-1)!];
    const group = [n, Math.floor(c / (C / groups))];
    const y = (at(x, index) - at(mean, group)) / Math.sqrt(at(variance, group) + eps);
    const affine = y * gain.data[c]! + offset.data[c]!;
    return modulation ? affine * (1 + at(modulation, [n, c])) + at(modulation, [n, C + c]) : affine;
  });
}

/** Bilinear, half-pixel centres, edges repeated: x [B,H,W,C] -> [B,h,w,C]. */
export function bilinear(x: Nd, [h, w]: readonly [number, number]): Nd {
  const [B, H, W, C] = x.shape as [number, number, number, number];
  const taps = (i: number, from: number, to: number) => {
    const centre = ((i + 0.5) * from) / to - 0.5;
    const low = Math.floor(centre);
    const inside = (k: number) => Math.min(from - 1, Math.max(0, k));
    return [
      [inside(low), 1 - (centre - low)],
      [inside(low + 1), centre - low],
    ] as const;
  };
  return build([B, h, w, C], ([n, i, j, c]) => {
    let total = 0;
    for (const [y, p] of taps(i!, H, h)) for (const [z, q] of taps(j!, W, w)) total += p * q * at(x, [n!, y, z, c!]);
    return total;
  });
}
