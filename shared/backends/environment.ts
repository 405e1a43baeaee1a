// What native backends read from the environment, once, when their library is loaded.

/** Set before the backend opens, on the main thread of its process: only there do changes reach native code. */
export const computeEnvironment = (threads: number): Readonly<Record<string, string>> => ({
  TF_NUM_INTRAOP_THREADS: String(threads),
  TF_NUM_INTEROP_THREADS: "1",
  OMP_NUM_THREADS: String(threads),
  TF_CPP_MIN_LOG_LEVEL: "2",
});
