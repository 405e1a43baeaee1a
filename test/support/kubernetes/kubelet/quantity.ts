// Amounts of resources as Kubernetes writes them: 500m, 2, 1.5Gi, 1e3.

import { amountOf as read } from "../../../../k8s/operator/quantity.ts";

export type Amounts = Readonly<Record<string, string | number>>;

/** @throws Error where it is none. */
export function amountOf(quantity: string | number): number {
  const amount = read(quantity);
  if (amount === null) throw new Error(`${quantity} is no quantity of Kubernetes`);
  return amount;
}
