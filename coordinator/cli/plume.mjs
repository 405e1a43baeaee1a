#!/usr/bin/env node
// The entry point of the command line: loads TypeScript through tsx, then hands over to coordinator/cli/main.ts.
import { register } from "tsx/esm/api";

register();
await import("./main.ts");
