// A job with a mistake, and parts of jobs that several have.

export interface WrongJob {
  /** Below spec, beside a source of data. */
  readonly spec: object;
  /** What kubectl prints, without the name of the job. */
  readonly says: readonly string[];
}

export const wrong = (spec: object, ...says: readonly string[]): WrongJob => ({ spec, says });

/** Of a job with captions. */
export const CAPTIONS = { source: "captions:", imageSize: 16 };
export const TEXT = { width: 32, layers: 2, heads: 2 };

/** Of a job of a chain. */
export const CHAIN_OF_IMAGES = { process: "nonequilibrium", predict: "kernel", objective: "trajectory-bound" };
export const ALL_STEPS = { sampler: "reverse-kernel", steps: 1000 };
