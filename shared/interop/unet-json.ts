// The types of what a config.json of UNet2DModel may hold, so that what is no such file is told by the field.

import { z } from "zod";
import { PlumeError } from "../errors.ts";

const count = z.int().min(1);
const schema = z.looseObject({
  sample_size: z.union([count, z.array(count).length(2)]).nullish(),
  in_channels: count.optional(),
  out_channels: count.optional(),
  down_block_types: z.array(z.string()).min(1).optional(),
  up_block_types: z.array(z.string()).min(1).optional(),
  block_out_channels: z.array(count).min(1).optional(),
  layers_per_block: count.optional(),
  dropout: z.number().optional(),
  attention_head_dim: count.nullish(),
  norm_num_groups: count.optional(),
  norm_eps: z.number().optional(),
  num_class_embeds: count.nullish(),
});

/** @throws PlumeError FAILED_PRECONDITION naming the field. */
export function checkUnetJson(json: unknown): z.infer<typeof schema> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new PlumeError(
    "FAILED_PRECONDITION",
    `config.json is none of UNet2DModel: ${issue?.path.join(".")}: ${issue?.message}`,
    { remedy: "take the config.json that UNet2DModel's save_pretrained wrote" },
  );
}
