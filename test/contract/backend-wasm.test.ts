import { expect, it } from "vitest";
import { openBackend } from "../../shared/backends/index.ts";
import { openWasm } from "../../shared/backends/wasm.ts";
import { describeBackend } from "./backend-suite.ts";

describeBackend("wasm", () => openBackend("wasm"));

it("the wasm backend is opened once a thread, with one budget", async () => {
  const open = await openBackend("wasm");
  expect(await openBackend("auto")).toBe(open);
  await expect(openWasm(2 ** 20)).rejects.toThrow(/open with a budget of 3221225472 bytes, not 1048576/);
});
