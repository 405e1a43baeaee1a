// Asks the server for images, and hears how far they are.

import type { ImageEvents, ImageRequest, Refusal } from "../../../shared/http/images-api.ts";
import type { Line } from "../line.ts";
import { readEvents } from "../sse.ts";

export type Hears = { readonly [Name in keyof ImageEvents]: (data: ImageEvents[Name]) => void };

const BROKEN: Refusal = { message: "the connection to the server broke", remedy: "ask again" };

/** Until it is done, refused or called off. @param signal calls it off: the server stops drawing, too. */
export async function draw(
  { ask }: Pick<Line, "ask">,
  request: ImageRequest,
  hears: Hears,
  signal: AbortSignal,
): Promise<void> {
  let isSettled = false;
  try {
    const response = await ask("v1/images", {
      method: "POST",
      headers: { accept: "text/event-stream", "content-type": "application/json", "x-plume": "1" },
      body: JSON.stringify(request),
      signal,
    });
    if (!response.ok) return hears.error(await refusalIn(response));
    await readEvents(
      response,
      () => {},
      ({ event, data }) => {
        isSettled ||= event === "done" || event === "error";
        hears[event as keyof ImageEvents]?.(JSON.parse(data));
      },
    );
  } catch {}
  if (!isSettled && !signal.aborted) hears.error(BROKEN);
}

/** Why something was refused. */
export async function refusalIn(response: Response): Promise<Refusal> {
  const answer = await response.json().catch(() => null);
  return answer?.error ?? { message: `the server answers ${response.status}`, remedy: "ask again in a moment" };
}
