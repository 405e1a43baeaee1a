/** What is in the cache asks for TensorFlow.js's core by this name, and must get the one that plume has. */
export function lendCore(core: object): void {
  (globalThis as Record<symbol, unknown>)[Symbol.for("plume.tfjs-core")] = core;
}
