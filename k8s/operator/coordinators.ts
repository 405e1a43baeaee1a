// Asks coordinators: how far a run is, and for a checkpoint. An answer is kept for a moment, because several things that happen to a
// job's pods are one question; a checkpoint is asked for once, and its answer waited for in the background.

import { describeError, PlumeError } from "../../shared/errors.ts";
import { fromServiceError } from "../../shared/rpc/call.ts";
import { controlClient } from "../../shared/rpc/control-client.ts";
import type { Plane } from "../../shared/rpc/tls/plane.ts";
import { findTrouble } from "../../shared/rpc/tls/trouble.ts";
import type { Said, Save } from "./observed.ts";

export interface CoordinatorsOptions {
  readonly plane: Plane;
  readonly now: () => number;
  readonly epochMs: () => number;
  /** A checkpoint was written, or was not. */
  readonly onSaved: (key: string) => void;
}

export interface Coordinators {
  /** @param key of the job. @param address of its coordinator. */
  status(key: string, address: string): Promise<Said>;
  /** Asks for a checkpoint, unless one is on its way. */
  save(key: string, address: string): void;
  saveOf(key: string): Save;
  /** The job goes on, or is gone: what was saved for its suspension counts no more. */
  forget(key: string): void;
}

const STATUS_TIMEOUT_MS = 3_000;
/** A large model on a slow store. */
const SAVE_TIMEOUT_MS = 1_800_000;
/** An answer is fresh for so long. */
const FRESH_MS = 1_000;

export function createCoordinators({ plane, now, epochMs, onSaved }: CoordinatorsOptions): Coordinators {
  const answers = new Map<string, { readonly address: string; readonly atMs: number; readonly said: Said }>();
  const saves = new Map<string, Save>();

  const client = (address: string, timeoutMs: number) =>
    controlClient({ address, plane, timeoutMs, explain: (error) => explained(error, address) });

  const ask = async (address: string): Promise<Said> => {
    await using control = client(address, STATUS_TIMEOUT_MS);
    try {
      return { kind: "answered", report: await control.ask("status", {}) };
    } catch (error) {
      const trouble = await findTrouble(plane, address, describeError(error));
      return {
        kind: "silent",
        reason: trouble ? `the coordinator on ${address}: ${trouble.says}` : describeError(error),
      };
    }
  };

  const checkpoint = async (address: string): Promise<Save> => {
    await using control = client(address, SAVE_TIMEOUT_MS);
    try {
      const { step } = await control.ask("checkpoint", {});
      return { kind: "saved", step };
    } catch (error) {
      return { kind: "failed", reason: describeError(error), atMs: epochMs() };
    }
  };

  return {
    async status(key, address) {
      const kept = answers.get(key);
      if (kept && kept.address === address && now() - kept.atMs < FRESH_MS) return kept.said;
      const said = await ask(address);
      // Of silence it is not known how long it lasts: it ends the moment that a process has started.
      if (said.kind === "answered") answers.set(key, { address, atMs: now(), said });
      else answers.delete(key);
      return said;
    },

    save(key, address) {
      if (saves.get(key)?.kind === "pending") return;
      const pending: Save = { kind: "pending" };
      saves.set(key, pending);
      void checkpoint(address).then((outcome) => {
        if (saves.get(key) !== pending) return; // nobody wants it any more
        saves.set(key, outcome);
        answers.delete(key);
        onSaved(key);
      });
    },

    saveOf: (key) => saves.get(key) ?? { kind: "none" },

    forget(key) {
      saves.delete(key);
    },
  };
}

function explained(error: unknown, address: string): PlumeError {
  const known = fromServiceError(error);
  if (known.code !== "UNAVAILABLE" && known.code !== "DEADLINE_EXCEEDED") return known;
  const why = known.code === "DEADLINE_EXCEEDED" ? "it has not answered in time" : known.message;
  return new PlumeError(known.code, `the coordinator on ${address} does not answer: ${why}`, { cause: error });
}
