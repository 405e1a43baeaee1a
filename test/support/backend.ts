// Opens the backend that tests of tensor code run on.
import { openBackend } from "../../shared/backends/index.ts";

export const testBackend = () => openBackend("wasm");
