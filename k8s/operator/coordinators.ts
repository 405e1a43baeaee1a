// Asks coordinators: how far a run is, and for a checkpoint. An answer is kept for a moment, because several things that happen to a
// job's pods are one question; a checkpoint is asked for once, and its answer waited for in the background.
//
// I1. A connection is kept for as long as its questions are answered: a new one for each would cost more than all the rest of a
//     pass. After a failure the next question is asked over a new one, because one that went silent may still look open.

import { describeError, PlumeError } from "../../shared/errors.ts";
import { fromServiceError } from "../../shared/rpc/call.ts";
import { type ControlClient, controlClient } from "../../shared/rpc/control-client.ts";
import { type Plane, plaintext } from "../../shared/rpc/tls/plane.ts";
import { findTrouble } from "../../shared/rpc/tls/trouble.ts";
import type { Said, Save } from "./observed.ts";

export interface CoordinatorsOptions {
  /** Its certificates, for the jobs that have some; the others are asked in plaintext. */
  readonly plane: Plane;
  readonly now: () => number;
  readonly epochMs: () => number;
  /** A checkpoint was written, or was not. */
  readonly onSaved: (key: string) => void;
  /** Whoever has not said how a run is by then is silent. */
  readonly patienceMs?: number;
}

/** Where a coordinator is asked. */
export interface Place {
  /** host:port */
  readonly address: string;
  /** That its certificate must have; null where it speaks plaintext. */
  readonly name: string | null;
}

export interface Coordinators extends Disposable {
  /** @param key of the job. @param place of its coordinator; null where none runs. */
  status(key: string, place: Place | null): Promise<Said>;
  /** Asks for a checkpoint, unless one is on its way. */
  save(key: string, place: Place): void;
  saveOf(key: string): Save;
  /** The job goes on: what was saved for its suspension counts no more. */
  goesOn(key: string): void;
  /** The job is gone. */
  forget(key: string): void;
}

const PATIENCE_MS = 3_000;
/** A large model on a slow store. */
const SAVE_TIMEOUT_MS = 1_800_000;
/** An answer is fresh for so long. */
const FRESH_MS = 1_000;

export function createCoordinators({
  plane,
  now,
  epochMs,
  onSaved,
  patienceMs = PATIENCE_MS,
}: CoordinatorsOptions): Coordinators {
  const answers = new Map<string, { readonly place: Place; readonly atMs: number; readonly said: Said }>();
  const saves = new Map<string, Save>();
  const lines = new Map<string, { readonly place: Place; readonly control: ControlClient }>();

  const planeAt = ({ name }: Place): Plane => (name === null ? plaintext : plane);

  const client = (place: Place, timeoutMs: number) => {
    const { address, name } = place;
    const explain = (error: unknown) => explained(error, address);
    return controlClient({ address, plane: planeAt(place), ...(name !== null && { name }), timeoutMs, explain });
  };

  const lineTo = (key: string, place: Place): ControlClient => {
    const kept = lines.get(key);
    if (kept && isSamePlace(kept.place, place)) return kept.control;
    hangUp(key);
    const control = client(place, patienceMs);
    lines.set(key, { place, control });
    return control;
  };

  const hangUp = (key: string) => {
    void lines.get(key)?.control[Symbol.asyncDispose]();
    lines.delete(key);
  };

  const ask = async (key: string, place: Place): Promise<Said> => {
    const { address } = place;
    if (place.name !== null && plane.folder === null)
      return {
        kind: "silent",
        reason: `the coordinator on ${address} wants certificates (kubernetes.tls), and the operator has none: k8s/operator/tls gives it some`,
      };
    try {
      return { kind: "answered", report: await lineTo(key, place).ask("status", {}) };
    } catch (error) {
      hangUp(key);
      const trouble = await findTrouble(planeAt(place), address, describeError(error));
      return {
        kind: "silent",
        reason: trouble ? `the coordinator on ${address}: ${trouble.says}` : describeError(error),
      };
    }
  };

  const checkpoint = async (place: Place): Promise<Save> => {
    await using control = client(place, SAVE_TIMEOUT_MS);
    try {
      const { step } = await control.ask("checkpoint", {});
      return { kind: "saved", step };
    } catch (error) {
      return { kind: "failed", reason: describeError(error), atMs: epochMs() };
    }
  };

  return {
    async status(key, place) {
      if (place === null) {
        hangUp(key);
        return { kind: "unasked" };
      }
      const kept = answers.get(key);
      if (kept && isSamePlace(kept.place, place) && now() - kept.atMs < FRESH_MS) return kept.said;
      const said = await ask(key, place);
      // Of silence it is not known how long it lasts: it ends the moment that a process has started.
      if (said.kind === "answered") answers.set(key, { place, atMs: now(), said });
      else answers.delete(key);
      return said;
    },

    save(key, place) {
      if (saves.get(key)?.kind === "pending") return;
      const pending: Save = { kind: "pending" };
      saves.set(key, pending);
      void checkpoint(place).then((outcome) => {
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

const isSamePlace = (a: Place, b: Place): boolean => a.address === b.address && a.name === b.name;

function explained(error: unknown, address: string): PlumeError {
  const known = fromServiceError(error);
  if (known.code !== "UNAVAILABLE" && known.code !== "DEADLINE_EXCEEDED") return known;
  const why = known.code === "DEADLINE_EXCEEDED" ? "it has not answered in time" : known.message;
  return new PlumeError(known.code, `the coordinator on ${address} does not answer: ${why}`, { cause: error });
}
