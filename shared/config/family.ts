// Fields whose values are the variants of a family: the family's table is the list, for validation and for --help.

import { z } from "zod";

type Table = Readonly<Record<string, { readonly about: string }>>;

export const oneOf = <T extends Table>(table: T) =>
  z.enum(Object.keys(table) as [keyof T & string, ...(keyof T & string)[]]);

/** "ddim (Song et al. 2021), ancestral (Ho et al. 2020)" */
export const listed = (table: Table): string =>
  Object.entries(table)
    .map(([name, { about }]) => `${name} (${about})`)
    .join(", ");
