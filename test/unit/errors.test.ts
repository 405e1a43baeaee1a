import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ERROR_CODES, type ErrorCode, PlumeError } from "../../shared/errors.ts";
import { fromServiceError, toServiceError } from "../../shared/rpc/call.ts";

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

describe("the table of error codes", () => {
  it("is the README's, word for word", () => {
    const [, table] = /<!-- generated:errors -->\n\n([\s\S]*?)\n\n<!-- \/generated -->/.exec(
      readFileSync("README.md", "utf8"),
    )!;
    const [, , ...rows] = table!.split("\n").map((row) => row.slice(2, -2).split(" | "));
    const written = CODES.map((code) => {
      const { exit, grpc, meaning, says } = ERROR_CODES[code];
      return [`\`${code}\``, `${exit}`, `${grpc}`, meaning, says];
    });
    expect(rows).toEqual(written);
  });

  it("gives every code a gRPC status of its own, but OK", () => {
    const statuses = CODES.map((code) => ERROR_CODES[code].grpc);
    expect(new Set(statuses).size).toBe(CODES.length);
    for (const status of statuses) expect(status).toBeGreaterThan(0);
  });

  it("has no code that nothing throws", () => {
    const thrown = new Set(["shared", "coordinator", "worker"].flatMap(codesIn));
    expect(CODES.filter((code) => !thrown.has(code))).toEqual([]);
  });

  it.each(CODES)("%s travels over gRPC with its message and its remedy", (code) => {
    const sent = new PlumeError(code, "step 3 is over", { remedy: "résumé it" });
    const got = fromServiceError(toServiceError(sent));
    expect(got).toMatchObject({
      code,
      message: "step 3 is over",
      remedy: "résumé it",
      exitCode: ERROR_CODES[code].exit,
    });
  });
});

describe("a mistake of the user", () => {
  it("cannot be told without a remedy", () => {
    // The compiler is the test: without the error it expects, it is one itself.
    // @ts-expect-error a remedy is missing
    expect(new PlumeError("INVALID_ARGUMENT", "x is no number").remedy).toBeUndefined();
    // @ts-expect-error a remedy is missing
    expect(new PlumeError("NOT_FOUND", "x is not there", { cause: "y" }).remedy).toBeUndefined();
    expect(new PlumeError("STALE", "step 3 is over").exitCode).toBe(1);
  });
});

/** Codes that a folder's sources hand to an error, but for the table itself. */
function codesIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return files
    .filter((name) => name !== "errors.ts")
    .flatMap((name) =>
      [...readFileSync(`${folder}/${name}`, "utf8").matchAll(/"([A-Z_]+)"/g)].map(([, word]) => word!),
    );
}
