// A SentencePiece model of Unigram (Kudo 2018), T5's spiece.model, as the tokenizer.json that transformers makes of it.
// Fields by their numbers in sentencepiece_model.proto.

import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { PlumeError } from "../errors.ts";

const PIECES = 1;
const TRAINER_SPEC = 2;
const NORMALIZER_SPEC = 3;
const [PIECE, SCORE] = [1, 2];
const MODEL_TYPE = 3;
const UNK_ID = 40;
const CHARSMAP = 2;
const UNIGRAM = 1;

interface Model {
  readonly vocab: (readonly [piece: string, score: number])[];
  modelType: number;
  unkId: number;
  charsmap: Uint8Array;
}

/** @param file for messages. @throws PlumeError FAILED_PRECONDITION for what is no model of Unigram. */
export function tokenizerOfSpiece(bytes: Uint8Array, file: string): string {
  const { vocab, modelType, unkId, charsmap } = parse(bytes, file);
  if (modelType !== UNIGRAM || vocab.length === 0) throw broken(file, "it is no model of Unigram");
  const special = ["<pad>", "</s>", "<unk>"].flatMap((content) => {
    const id = vocab.findIndex(([piece]) => piece === content);
    return id < 0 ? [] : [{ id, content, special: true, normalized: false }];
  });
  const end = special.find(({ content }) => content === "</s>");
  if (!end) throw broken(file, "it has no piece </s>");
  const precompiled = { type: "Precompiled", precompiled_charsmap: Buffer.from(charsmap).toString("base64") };
  const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always" };
  return JSON.stringify({
    added_tokens: special,
    normalizer: {
      type: "Sequence",
      normalizers: [
        ...(charsmap.length > 0 ? [precompiled] : []),
        { type: "Strip", strip_left: false, strip_right: true },
        { type: "Replace", pattern: { Regex: " {2,}" }, content: "▁" },
      ],
    },
    pre_tokenizer: metaspace,
    decoder: metaspace,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "</s>", type_id: 0 } }],
      pair: [],
      special_tokens: { "</s>": { id: "</s>", ids: [end.id], tokens: ["</s>"] } },
    },
    model: { type: "Unigram", unk_id: unkId, vocab },
  });
}

const broken = (file: string, why: string) =>
  new PlumeError("FAILED_PRECONDITION", `${file} is no tokenizer that plume reads: ${why}`, {
    remedy: "write a tokenizer.json beside it: T5TokenizerFast.from_pretrained(FOLDER).save_pretrained(FOLDER)",
  });

function parse(bytes: Uint8Array, file: string): Model {
  // Defaults of the format.
  const model: Model = { vocab: [], modelType: UNIGRAM, unkId: 0, charsmap: new Uint8Array(0) };
  try {
    each(bytes, (field, reader) => {
      if (field === PIECES) model.vocab.push(pieceOf(reader.bytes()));
      else if (field === TRAINER_SPEC) readTrainer(reader.bytes(), model);
      else if (field === NORMALIZER_SPEC) readNormalizer(reader.bytes(), model);
      else return false;
      return true;
    });
  } catch (cause) {
    throw broken(file, (cause as Error).message);
  }
  return model;
}

/** @param take reads the field's value, or says that it did not. */
function each(bytes: Uint8Array, take: (field: number, reader: BinaryReader, wire: WireType) => boolean): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (!take(field, reader, wire)) reader.skip(wire);
  }
}

function pieceOf(bytes: Uint8Array): readonly [string, number] {
  let [piece, score] = ["", 0];
  each(bytes, (field, reader) => {
    if (field === PIECE) piece = reader.string();
    else if (field === SCORE) score = reader.float();
    else return false;
    return true;
  });
  return [piece, score];
}

function readTrainer(bytes: Uint8Array, model: Model): void {
  each(bytes, (field, reader, wire) => {
    if (wire !== WireType.Varint) return false;
    if (field === MODEL_TYPE) model.modelType = reader.int32();
    else if (field === UNK_ID) model.unkId = reader.int32();
    else return false;
    return true;
  });
}

function readNormalizer(bytes: Uint8Array, model: Model): void {
  each(bytes, (field, reader) => {
    if (field !== CHARSMAP) return false;
    model.charsmap = reader.bytes();
    return true;
  });
}
