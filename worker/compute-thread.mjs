// A thread does not inherit tsx from its parent: register it here, then run the TypeScript.
import { register } from "tsx/esm/api";

register();
await import("./compute-thread.ts");
