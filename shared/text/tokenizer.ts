// Captions to tokens, by the folder's tokenizer.json or by its spiece.model, which becomes one.

import { PlumeError } from "../errors.ts";

/** A tokenizer as it travels: the JSON of tokenizer.json, and of tokenizer_config.json where there is one. */
export interface TokenizerFiles {
  readonly tokenizer: string;
  readonly config: string;
}

/** @param called what the caption is to whoever wrote it, such as a flag. @returns its tokens, its end among them. */
export type Tokenize = (caption: string, called?: string) => readonly number[];

/** A tokenizer's JSON is megabytes: a server asks for the same one at every request. */
const known = new WeakMap<TokenizerFiles, Promise<Tokenize>>();

/** Opened once. @throws PlumeError FAILED_PRECONDITION for files that describe no tokenizer. */
export function openTokenizer(files: TokenizerFiles): Promise<Tokenize> {
  const opened = known.get(files) ?? open(files);
  known.set(files, opened);
  return opened;
}

async function open({ tokenizer, config }: TokenizerFiles): Promise<Tokenize> {
  const { Tokenizer } = await import("@huggingface/tokenizers"); // on demand: most jobs name no encoder
  const opened = opening(() => new Tokenizer(JSON.parse(tokenizer), JSON.parse(config)));
  return (caption) => opened.encode(caption).ids;
}

function opening<T>(body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `tokenizer.json is none that plume reads: ${(cause as Error).message}`,
      {
        remedy: "write it again: AutoTokenizer.from_pretrained(...).save_pretrained(FOLDER)",
        cause,
      },
    );
  }
}
