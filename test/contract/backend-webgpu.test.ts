import { openBackend } from "../../shared/backends/index.ts";
import { useSwiftShader } from "../support/swiftshader.ts";
import { describeBackend } from "./backend/suite.ts";

const onGpu = process.env.PLUME_TEST_GPU === "1";
if (!onGpu) useSwiftShader();
describeBackend("webgpu", () => openBackend("webgpu"), { flatSteps: onGpu ? 100 : 20 });
