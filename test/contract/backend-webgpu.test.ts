import { openBackend } from "../../shared/backends/index.ts";
import { useSwiftShader } from "../support/swiftshader.ts";
import { describeBackend } from "./backend/suite.ts";

if (process.env.PLUME_TEST_GPU !== "1") useSwiftShader();
describeBackend("webgpu", () => openBackend("webgpu"));
