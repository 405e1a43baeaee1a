// TrainingService with the tensor frames coded by hand (tensor-codec.ts); everything else as generated.

import { type ChannelCredentials, type ChannelOptions, makeGenericClientConstructor } from "@grpc/grpc-js";
import {
  type TrainingServiceClient as GeneratedClient,
  PullResponse,
  PushRequest,
  TrainingServiceService,
} from "../../proto/gen/plume/v1/training.ts";
import { decodeBytesField, encodeBytesField } from "./tensor-codec.ts";

const PULL_CHUNK = 1;
const PUSH_CHUNK = 2;

export const trainingService = {
  ...TrainingServiceService,
  pull: {
    ...TrainingServiceService.pull,
    responseSerialize: (value: PullResponse): Buffer => encodeBytesField(PULL_CHUNK, value.chunk),
    responseDeserialize: (frame: Buffer): PullResponse => {
      const chunk = decodeBytesField(PULL_CHUNK, frame);
      return chunk ? { chunk } : PullResponse.decode(frame);
    },
  },
  push: {
    ...TrainingServiceService.push,
    requestSerialize: (value: PushRequest): Buffer =>
      value.part?.$case === "chunk"
        ? encodeBytesField(PUSH_CHUNK, value.part.value)
        : Buffer.from(PushRequest.encode(value).finish()),
    requestDeserialize: (frame: Buffer): PushRequest => {
      const chunk = decodeBytesField(PUSH_CHUNK, frame);
      return chunk ? { part: { $case: "chunk", value: chunk } } : PushRequest.decode(frame);
    },
  },
} as const;

export type TrainingClient = GeneratedClient;

type TrainingClientConstructor = new (
  address: string,
  credentials: ChannelCredentials,
  options: ChannelOptions,
) => TrainingClient;

export const TrainingClient = makeGenericClientConstructor(
  trainingService,
  "plume.v1.TrainingService",
) as unknown as TrainingClientConstructor;
