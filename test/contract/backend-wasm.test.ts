import { expect, it } from "vitest";
import { openBackend } from "../../shared/backends/index.ts";
import { guardHeap } from "../../shared/backends/wasm.ts";
import { PlumeError } from "../../shared/errors.ts";
import { describeBackend } from "./backend-suite.ts";

describeBackend("wasm", () => openBackend("wasm"));

it("the wasm backend names its budget when the heap has outgrown it", () => {
  expect(() => guardHeap(3 * 2 ** 30, 2 ** 30)).toThrow(PlumeError);
  expect(() => guardHeap(3 * 2 ** 30, 2 ** 30)).toThrow(/3072 MiB.*1024 MiB/);
  expect(() => guardHeap(2 ** 30, 2 ** 30)).not.toThrow();
});
