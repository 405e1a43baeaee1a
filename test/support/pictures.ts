// One small data set in every form in which images lie somewhere: 64 pictures of three classes, drawn by a formula, as a
// folder of PNG files, as WebDataset shards made by tar, and as parquet files made by pyarrow
// (test/contract/fixtures/parquet.py, which draws the same).

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import sharp from "sharp";
import { PlumeError } from "../../shared/errors.ts";
import type { S3Server } from "./s3-server.ts";

const SIDE = 8;
export const PICTURE_CLASSES = ["blue", "green", "red"] as const;
/** Numbers of the pictures in the order of the set: by class, as a folder of classes is read. */
export const PICTURES = Array.from({ length: 64 }, (_, k) => k).sort((a, b) => (a % 3) - (b % 3) || a - b);
export const PARQUET = fileURLToPath(new URL("../contract/fixtures/parquet", import.meta.url));

/** uint8 [8, 8, 3]. */
export function drawPicture(k: number): Uint8Array {
  const pixels = new Uint8Array(SIDE * SIDE * 3);
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++)
      pixels.set([37 * k + 11 * y + 5 * x, 200 - 9 * k - 3 * y, 20 + 17 * x + k], (y * SIDE + x) * 3);
  return pixels;
}

export const encodePicture = (k: number): Promise<Buffer> =>
  sharp(drawPicture(k), { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png()
    .toBuffer();

const nameOf = (k: number) => String(k).padStart(4, "0");
export const pictureFile = (k: number) => `${PICTURE_CLASSES[k % 3]}/${nameOf(k)}.png`;

/** FOLDER/<class>/<k>.png */
export async function writeImageFolder(folder: string): Promise<string> {
  for (const name of PICTURE_CLASSES) mkdirSync(join(folder, name), { recursive: true });
  for (const k of PICTURES) writeFileSync(join(folder, pictureFile(k)), await encodePicture(k));
  return folder;
}

/** FOLDER/shard-000000.tar ... @param change of a picture's bytes, for one that is to be broken. */
export async function writeShards(
  folder: string,
  { shards = 3, format = "ustar", change = (_k: number, png: Buffer): Buffer => png } = {},
): Promise<string> {
  const each = Math.ceil(PICTURES.length / shards);
  for (let shard = 0; shard < shards; shard++) {
    const files: Record<string, Uint8Array> = {};
    for (const k of PICTURES.slice(shard * each, (shard + 1) * each)) {
      files[`${nameOf(k)}.png`] = change(k, await encodePicture(k));
      files[`${nameOf(k)}.cls`] = Buffer.from(String(k % 3));
    }
    writeTar(join(folder, `shard-${String(shard).padStart(6, "0")}.tar`), files, format);
  }
  return folder;
}

/** By the machine's own tar, in the order given. @param format ustar, gnu, pax or v7. */
export function writeTar(file: string, files: Readonly<Record<string, Uint8Array>>, format = "ustar"): void {
  const staging = `${file}.files`;
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(staging, name)), { recursive: true });
    writeFileSync(join(staging, name), bytes);
  }
  mkdirSync(dirname(file), { recursive: true });
  const args = [`--format=${format}`, "-cf", file, "-C", staging, "--", ...Object.keys(files)];
  const { status, stderr } = spawnSync("tar", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`tar: ${stderr}`);
}

/** Every file of a folder, as an object below the prefix. */
export async function upload({ client, bucket }: S3Server, folder: string, prefix: string): Promise<void> {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.parentPath.includes(".files")) continue;
    const path = join(entry.parentPath, entry.name);
    const Key = `${prefix}/${path.slice(folder.length + 1)}`;
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: readFileSync(path) }));
  }
}

/** What a promise is refused with. @throws when it is not, or by something that is no PlumeError. */
export async function faultOf(promise: Promise<unknown>): Promise<PlumeError> {
  const outcome = await promise.catch((error: unknown) => error);
  if (outcome instanceof PlumeError) return outcome;
  throw outcome instanceof Error ? outcome : new Error("it was not refused");
}
