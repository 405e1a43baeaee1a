// Straight to the coordinator.

import { credentials } from "@grpc/grpc-js";
import { PlumeError } from "../../../shared/errors.ts";
import { fromServiceError } from "../../../shared/rpc/call.ts";
import { controlClient } from "../../../shared/rpc/control-client.ts";
import type { ControlWire } from "./wire.ts";

export interface GrpcTarget {
  /** host:port */
  readonly address: string;
  /** The run's folder, where that is how it was found. */
  readonly folder: string | null;
  readonly timeoutMs: number;
}

export function grpcWire({ address, folder, timeoutMs }: GrpcTarget): ControlWire {
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
  return controlClient({ address, credentials: credentials.createInsecure(), timeoutMs, explain });
}
