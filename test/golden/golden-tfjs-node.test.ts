import { goldenSuite } from "./suite.ts";

goldenSuite("tfjs-node");
