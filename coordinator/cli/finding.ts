// One line of plume doctor.

export interface Finding {
  readonly what: string;
  /** missing: plume does without it, more slowly or with less. bad: plume does not run. */
  readonly state: "ok" | "missing" | "bad";
  readonly detail: string;
  readonly remedy: string | null;
}
