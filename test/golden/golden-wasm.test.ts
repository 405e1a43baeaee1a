import { goldenSuite } from "./suite.ts";

goldenSuite("wasm");
