// The table of frozen text encoders: a kind by what lies in the folder.

import type { TextKind } from "./kind.ts";
import { t5 } from "./t5.ts";

const TEXT_KINDS: Readonly<Record<string, TextKind>> = { t5 };

/** What config.json may say. */
export const MODEL_TYPES = Object.values(TEXT_KINDS).flatMap(({ modelTypes }) => modelTypes);

export const textKindOf = (modelType: unknown): TextKind | undefined =>
  Object.values(TEXT_KINDS).find(({ modelTypes }) => modelTypes.includes(modelType as string));
