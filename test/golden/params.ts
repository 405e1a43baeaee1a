// A network or layer with given values: the Forward that the golden adapters run with.

import * as tf from "@tensorflow/tfjs-core";
import type { NamedValues } from "../../shared/models/adm-names.ts";
import type { Forward } from "../../shared/nn/network.ts";
import type { ParamSpec } from "../../shared/tensor/layout.ts";

/** @throws when a declared parameter has no value, a value has no parameter, or their sizes differ. */
export function forwardWith(specs: readonly ParamSpec[], values: readonly NamedValues[]): Forward {
  const byName = new Map(values.map((value) => [value.name, value.values]));
  const tensors = new Map(
    specs.map(({ name, shape }) => {
      const value = byName.get(name);
      const size = shape.reduce((product, n) => product * n, 1);
      if (value?.length !== size)
        throw new Error(`parameter ${name} [${shape}] is given ${value?.length ?? "no"} values`);
      byName.delete(name);
      return [name, tf.tensor(value, [...shape], "float32")];
    }),
  );
  if (byName.size > 0) throw new Error(`no parameter takes ${[...byName.keys()].join(", ")}`);
  return { param: (name) => tensors.get(name)!, dropout: (x) => x };
}
