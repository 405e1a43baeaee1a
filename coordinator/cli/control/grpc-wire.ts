// Straight to the coordinator.

import { PlumeError } from "../../../shared/errors.ts";
import { fromServiceError } from "../../../shared/rpc/call.ts";
import { controlClient } from "../../../shared/rpc/control-client.ts";
import { planeOfEnvironment } from "../../../shared/rpc/tls/plane.ts";
import { findTrouble } from "../../../shared/rpc/tls/trouble.ts";
import type { ControlWire } from "./wire.ts";

export interface GrpcTarget {
  /** host:port */
  readonly address: string;
  /** The run's folder, where that is how it was found. */
  readonly folder: string | null;
  readonly timeoutMs: number;
}

/** @throws PlumeError for certificates in PLUME_TLS that cannot work. */
export function grpcWire({ address, folder, timeoutMs }: GrpcTarget): ControlWire {
  const plane = planeOfEnvironment();
  const explain = (error: unknown): PlumeError => {
    const known = fromServiceError(error);
    if (known.code === "DEADLINE_EXCEEDED")
      return new PlumeError(
        "DEADLINE_EXCEEDED",
        `the coordinator on ${address} has not answered for ${timeoutMs / 1000} s`,
        {
          remedy: "see its log; where the command may take longer, give it more with --timeout SECONDS",
        },
      );
    if (known.code !== "UNAVAILABLE") return known;
    return new PlumeError("UNAVAILABLE", `the coordinator on ${address} does not answer: ${known.message}`, {
      remedy: folder
        ? "if it was killed just now, its supervisor is starting it again: try in a moment"
        : "check --address, and that the job is running",
    });
  };
  /** What TLS has to do with it, if it has. */
  const better = async (error: unknown): Promise<unknown> => {
    if (!(error instanceof PlumeError) || error.code !== "UNAVAILABLE") return error;
    const trouble = await findTrouble(plane, address, error.message);
    if (!trouble) return error;
    return new PlumeError("UNAVAILABLE", `the coordinator on ${address} cannot be reached: ${trouble.says}`, trouble);
  };

  const client = controlClient({ address, plane, timeoutMs, explain });
  return {
    ask: (verb, args) => client.ask(verb, args).catch(async (error) => Promise.reject(await better(error))),
    async *events(follow, signal) {
      try {
        yield* client.events(follow, signal);
      } catch (error) {
        throw await better(error);
      }
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}
