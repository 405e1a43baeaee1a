// A request's fields as the words of `plume sample`, and its errors in the fields' names.

import { PlumeError, quoted } from "../../../shared/errors.ts";
import { IMAGE_FIELDS, type ImageField, type Refusal } from "../../../shared/http/images-api.ts";
import { nearestWord } from "../../../shared/nearest-word.ts";
import { type Asked, type ImageWords, parseAsked } from "../commands/sample/asked.ts";

/** A request may take so much; the command line may take more. */
export const MOST = { count: 256, steps: 4_000 };

const FIELDS = Object.keys(IMAGE_FIELDS) as ImageField[];
const EXAMPLE = 'send an object, for example {"count": 4, "seed": 1}';

/**
 * @param body JSON; nothing at all is an empty request. @param fixed words of the server's own.
 * @throws PlumeError INVALID_ARGUMENT naming the field as the command line would its option.
 */
export function askedOf(body: Buffer, fixed: Pick<ImageWords, "base" | "prior" | "weights">): Asked {
  const words: Record<string, string> = {};
  for (const [key, value] of Object.entries(objectIn(body))) words[fieldOf(key)] = wordOf(key as ImageField, value);
  const asked = parseAsked({ seed: "0", ...words, ...fixed });
  checkMost("count", asked.count);
  checkMost("steps", asked.sampling.steps);
  return asked;
}

function objectIn(body: Buffer): object {
  const text = body.toString("utf8").trim();
  if (text === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refused(`the request is no JSON: ${(error as Error).message}`, EXAMPLE);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw refused("the request is no JSON object", EXAMPLE);
}

function fieldOf(key: string): ImageField {
  const field = FIELDS.find((each) => each === key);
  if (field) return field;
  const meant = nearestWord(key, FIELDS);
  throw refused(
    `${quoted(key)} is no field of a request`,
    meant ? `did you mean ${meant}?` : `the fields are ${FIELDS.join(", ")}`,
  );
}

function wordOf(field: ImageField, value: unknown): string {
  const kind = IMAGE_FIELDS[field];
  const isText = typeof value === "string" && kind !== "number";
  const isNumber = typeof value === "number" && kind !== "text";
  if (isText || isNumber) return String(value);
  const example = kind === "number" ? `"${field}": 2` : `"${field}": "..."`;
  throw refused(`--${dashed(field)} ${JSON.stringify(value)} is no ${kind}`, `for example ${example}`);
}

function checkMost(field: keyof typeof MOST, value: number | undefined): void {
  if (value === undefined || value <= MOST[field]) return;
  throw refused(
    `--${field} ${value} is above the ${MOST[field]} of one request`,
    field === "count" ? "ask for the others with other seeds, or use plume sample" : "use plume sample for more",
  );
}

const refused = (message: string, remedy: string) => new PlumeError("INVALID_ARGUMENT", message, { remedy });

/** An error of the command line, as one of a request: `--low-res-noise 2 ...` is `lowResNoise 2 ...`. */
export function refusalOf({ message, remedy }: Pick<PlumeError, "message" | "remedy">): Refusal {
  const told = { message: inFields(message), remedy: remedy === undefined ? null : inFields(remedy) };
  const field = FIELDS.find((each) => message.startsWith(`--${dashed(each)} `));
  return field ? { ...told, field } : told;
}

const inFields = (text: string): string =>
  text.replace(/--([a-z-]+)/g, (flag, name) => FIELDS.find((field) => dashed(field) === name) ?? flag);

const dashed = (field: string): string => field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
