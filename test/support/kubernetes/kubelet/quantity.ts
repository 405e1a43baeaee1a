// Amounts of resources as Kubernetes writes them: 500m, 2, 1.5Gi, 1e3.

const UNITS: Readonly<Record<string, number>> = {
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

export type Amounts = Readonly<Record<string, string | number>>;

/** @throws Error where it is none. */
export function amountOf(quantity: string | number): number {
  const [, number, unit] = /^([0-9.]+(?:[eE][0-9]+)?)([A-Za-z]*)$/.exec(`${quantity}`) ?? [];
  const factor = UNITS[unit ?? "?"];
  if (number === undefined || factor === undefined) throw new Error(`${quantity} is no quantity of Kubernetes`);
  return Number(number) * factor;
}
