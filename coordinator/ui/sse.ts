// Server-sent events, parsed from text in pieces (HTML Living Standard, 9.2.6). By hand, because EventSource cannot carry a
// token.

export interface Message {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/** @returns a function that takes the next piece and gives the messages that are whole with it. */
export function createParser(): (piece: string) => Message[] {
  let rest = "";
  let id: string | null = null;
  let event = "";
  let data: string[] = [];

  const field = (line: string, messages: Message[]) => {
    if (line === "") {
      if (data.length > 0) messages.push({ id, event: event || "message", data: data.join("\n") });
      [id, event, data] = [null, "", []];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "id") id = value;
    else if (name === "event") event = value;
    else if (name === "data") data.push(value);
  };

  return (piece) => {
    const messages: Message[] = [];
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    for (const line of lines) field(line, messages);
    return messages;
  };
}

/** Until the answer ends. @param onPiece something came, a message or not. */
export async function readEvents(
  response: Response,
  onPiece: () => void,
  onMessage: (message: Message) => void,
): Promise<void> {
  const parse = createParser();
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onPiece();
    for (const message of parse(value)) onMessage(message);
  }
}
