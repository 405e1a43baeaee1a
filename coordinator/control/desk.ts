// Where all wires bring what they are asked: checks it against the table of verbs, carries it out once, answers.

import type { Bus } from "../../shared/bus/bus.ts";
import { refusal } from "../../shared/control/reply.ts";
import {
  type ControlReply,
  type ControlRequest,
  type Results,
  type StatusReport,
  VERBS,
  type Verb,
} from "../../shared/control/verbs.ts";
import { PlumeError, quoted } from "../../shared/errors.ts";
import type { Commands } from "./commands.ts";

export interface Desk {
  /** Never rejects. */
  ask(request: ControlRequest): Promise<ControlReply>;
}

export interface DeskOptions {
  readonly commands: Omit<Commands, "adopt">;
  readonly report: () => StatusReport;
  /** @returns false when a stop was asked for already. */
  readonly stop: (reason: string) => boolean;
  readonly bus: Bus;
}

/** Requests whose replies are remembered. */
const REMEMBERED = 1_000;
const LONGEST_ID = 128;

export function createDesk({ commands, report, stop, bus }: DeskOptions): Desk {
  const replies = new Map<string, { readonly verb: string; readonly reply: Promise<ControlReply> }>();

  const acts: { readonly [V in Verb]: (args: never, by: string) => Results[V] | Promise<Results[V]> } = {
    status: () => report(),
    pause: (_, by) => ({ alreadyPaused: !commands.pause(`asked to pause (${by})`) }),
    resume: (_, by) => ({ wasPaused: commands.resume(`asked to resume (${by})`) }),
    stop: ({ reason }: { reason?: string }, by) => ({ alreadyStopping: !stop(reason || `asked to stop (${by})`) }),
    checkpoint: async () => ({ step: await commands.checkpoint() }),
    scale: ({ replicas }: { replicas: number }) => ({ before: commands.scale(replicas), replicas }),
  };

  const carryOut = async (request: ControlRequest): Promise<ControlReply> => {
    const { id, verb, by } = request;
    try {
      const args = argumentsOf(request);
      return { id, verb, ok: true, result: await acts[verb as Verb](args as never, by) };
    } catch (error) {
      return refusal(id, verb, error);
    }
  };

  const tell = ({ verb, by }: ControlRequest, reply: ControlReply) => {
    const outcome = reply.ok ? "done" : `${reply.error.code}: ${reply.error.message}`;
    bus.publish({ kind: "command", verb, by, outcome });
  };

  return {
    async ask(request) {
      const { id, verb } = request;
      const isChange = Object.hasOwn(VERBS, verb) && VERBS[verb as Verb].changes;
      if (!isChange || id.length === 0 || id.length > LONGEST_ID) return carryOut(request);
      const known = replies.get(id);
      if (known && known.verb !== verb) return refusal(id, verb, usedBefore(id, known.verb));
      if (known) return known.reply;
      const reply = carryOut(request);
      replies.set(id, { verb, reply });
      if (replies.size > REMEMBERED) replies.delete(replies.keys().next().value!);
      tell(request, await reply);
      return reply;
    },
  };
}

/** @throws PlumeError INVALID_ARGUMENT */
function argumentsOf({ verb, args, id }: ControlRequest): unknown {
  const verbs = Object.keys(VERBS).join(", ");
  if (!Object.hasOwn(VERBS, verb))
    throw new PlumeError("INVALID_ARGUMENT", `${quoted(verb)} is no command`, { remedy: `use one of ${verbs}` });
  const { takes, changes } = VERBS[verb as Verb];
  if (changes && (id.length === 0 || id.length > LONGEST_ID))
    throw new PlumeError("INVALID_ARGUMENT", `the request's id has ${id.length} characters`, {
      remedy: `give each request an id of its own, 1 to ${LONGEST_ID} characters, and the same one when it is sent again`,
    });
  const parsed = takes.safeParse(args);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue!.path.join(".") || "its arguments";
  throw new PlumeError("INVALID_ARGUMENT", `${verb}: ${field}: ${issue!.message}`, {
    remedy: `it takes ${Object.keys(takes.shape).join(", ") || "no arguments"}`,
  });
}

const usedBefore = (id: string, verb: string) =>
  new PlumeError("INVALID_ARGUMENT", `the id ${quoted(id)} was used for ${verb} before`, {
    remedy: "give each request an id of its own",
  });
