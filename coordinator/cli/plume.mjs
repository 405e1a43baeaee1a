#!/usr/bin/env node
// The entry point of the command line: brings the bundle up to date, then hands over to coordinator/cli/main.ts in it.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundled } from "./bundle.mjs";

process.setSourceMapsEnabled(true);
await import(pathToFileURL(join(await bundled(), "plume.mjs")).href);
