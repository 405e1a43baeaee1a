// Asks coordinators: how far a run is, and for a checkpoint. An answer is kept for a moment, because several things that happen to a
// job's pods are one question; a checkpoint is asked for once, and its answer waited for in the background.
//
// I1. A connection is kept for as long as its questions are answered: a new one for each would cost more than all the rest of a
//     pass. After a failure the next question is asked over a new one, because one that went silent may still look open.

import { describeError, PlumeError } from "../../shared/errors.ts";
import { fromServiceError } from "../../shared/rpc/call.ts";
import { type ControlClient, controlClient } from "../../shared/rpc/control-client.ts";
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

export interface Coordinators extends Disposable {
  /** @param key of the job. @param address of its coordinator; null where none runs. */
  status(key: string, address: string | null): Promise<Said>;
  /** Asks for a checkpoint, unless one is on its way. */
  save(key: string, address: string): void;
  saveOf(key: string): Save;
  /** The job goes on: what was saved for its suspension counts no more. */
  goesOn(key: string): void;
  /** The job is gone. */
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
  const lines = new Map<string, { readonly address: string; readonly control: ControlClient }>();

  const client = (address: string, timeoutMs: number) =>
    controlClient({ address, plane, timeoutMs, explain: (error) => explained(error, address) });

  const lineTo = (key: string, address: string): ControlClient => {
    const kept = lines.get(key);
    if (kept?.address === address) return kept.control;
    hangUp(key);
    const control = client(address, STATUS_TIMEOUT_MS);
    lines.set(key, { address, control });
    return control;
  };

  const hangUp = (key: string) => {
    void lines.get(key)?.control[Symbol.asyncDispose]();
    lines.delete(key);
  };

  const ask = async (key: string, address: string): Promise<Said> => {
    try {
      return { kind: "answered", report: await lineTo(key, address).ask("status", {}) };
    } catch (error) {
      hangUp(key);
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
      if (address === null) {
        hangUp(key);
        return { kind: "unasked" };
      }
      const kept = answers.get(key);
      if (kept && kept.address === address && now() - kept.atMs < FRESH_MS) return kept.said;
      const said = await ask(key, address);
      answers.set(key, { address, atMs: now(), said });
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

    goesOn: (key) => void saves.delete(key),

    forget(key) {
      saves.delete(key);
      answers.delete(key);
      hangUp(key);
    },

    [Symbol.dispose]() {
      for (const key of lines.keys()) hangUp(key);
    },
  };
}

function explained(error: unknown, address: string): PlumeError {
  const known = fromServiceError(error);
  if (known.code !== "UNAVAILABLE" && known.code !== "DEADLINE_EXCEEDED") return known;
  const why = known.code === "DEADLINE_EXCEEDED" ? "it has not answered in time" : known.message;
  return new PlumeError(known.code, `the coordinator on ${address} does not answer: ${why}`, { cause: error });
}
