// What must not be told: keys, tokens and passwords, taken out of any text that is kept or shown.
//
// I1. Every line of a log, every event and every message of an error goes through `redact`. A secret of the
//     environment, and one that was kept, is found anywhere, any other by its form.

const GONE = "[redacted]";
/** Shorter ones would be found in every other word. */
const SHORTEST = 8;

/** Variables of the environment whose value is a secret. */
const SECRET_NAME = /SECRET|TOKEN|PASSWORD|PASSWD|PRIVATE_?KEY|API_?KEY|OTLP_(\w+_)?HEADERS/i;

const FORMS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----/gs, GONE],
  // AWS: the id of an access key.
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, GONE],
  // NATS: the seed of an nkey.
  [/\bS[ACNOUX][A-Z2-7]{56}\b/g, GONE],
  // A JSON web token.
  [/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, GONE],
  // scheme://user:password@host
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/?#@"'\\]+@/gi, `$1${GONE}@`],
  [
    /\b((?:X-Amz-(?:Signature|Credential|Security-Token)|\w{0,20}token|\w{0,20}secret|password|sig)=)[^&\s"'\\]+/gi,
    `$1${GONE}`,
  ],
  [/\b((?:Bearer|Basic) )[\w.~+/=-]{8,}/gi, `$1${GONE}`],
  // "name": "value" in JSON, where the name says it.
  [
    /("\w{0,40}(?:secret|token|password|passwd|api_?key|private_?key)\w{0,20}"\s*:\s*")(?:[^"\\]|\\.)+"/gi,
    `$1${GONE}"`,
  ],
];

const kept = new Set<string>();
let values: RegExp | null | undefined;

/** From now on this value is taken out of every text of this process. */
export function keepSecret(value: string): void {
  kept.add(value);
  values = undefined;
}

/** The text without what must not be told. */
export function redact(text: string): string {
  if (values === undefined) values = anyOf([...kept, ...ofEnvironment(process.env)]);
  const told = values ? text.replace(values, GONE) : text;
  return FORMS.reduce((rest, [form, instead]) => rest.replace(form, instead), told);
}

const ofEnvironment = (env: NodeJS.ProcessEnv): string[] =>
  Object.entries(env).flatMap(([name, value]) =>
    value && value.length >= SHORTEST && SECRET_NAME.test(name) ? [value] : [],
  );

function anyOf(secrets: readonly string[]): RegExp | null {
  // As they are, and as JSON has them.
  const forms = secrets.flatMap((each) => [each, JSON.stringify(each).slice(1, -1)]);
  if (forms.length === 0) return null;
  return new RegExp(
    [...new Set(forms)]
      .sort((a, b) => b.length - a.length)
      .map(literally)
      .join("|"),
    "g",
  );
}

const literally = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
