// Kubernetes' quantities: the server writes 0.5 as 500m and 1024Mi as 1Gi.

const SUFFIX: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** Two spellings of one amount. */
export function sameQuantity(a: unknown, b: unknown): boolean {
  const [first, second] = [amountOf(a), amountOf(b)];
  return first !== null && second !== null && Math.abs(first - second) <= 1e-12 * Math.abs(first);
}

/** @returns null where it is none. */
export function amountOf(text: unknown): number | null {
  if (typeof text === "number") return text;
  const match = typeof text === "string" ? /^([+-]?[0-9.]+)([eE][+-]?[0-9]+)?([a-zA-Z]*)$/.exec(text) : null;
  const factor = match && SUFFIX[match[3]!];
  return match && factor ? Number(`${match[1]}${match[2] ?? ""}`) * factor : null;
}
