import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSafetensors, encodeSafetensors, type NamedTensor } from "../../shared/checkpoint/safetensors.ts";
import { PlumeError } from "../../shared/errors.ts";

const tensor = (name: string, shape: readonly number[], ...values: number[]): NamedTensor => ({
  name,
  shape,
  values: Float32Array.from(values),
});

/** A file made by hand: any header text, any data. */
function file(header: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const json = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

const anyTensors = fc.uniqueArray(
  fc
    .tuple(fc.string({ minLength: 1 }), fc.array(fc.nat({ max: 4 }), { maxLength: 4 }))
    .chain(([name, shape]) => {
      const size = shape.reduce((n, d) => n * d, 1);
      const bits = fc.array(fc.nat({ max: 0xffffffff }), { minLength: size, maxLength: size });
      return bits.map((words) => ({ name, shape, values: new Float32Array(Uint32Array.from(words).buffer) }));
    })
    .filter(({ name }) => name !== "__metadata__"),
  { selector: ({ name }) => name, maxLength: 6 },
);

describe("safetensors", () => {
  it("is written byte for byte as the format says", () => {
    const bytes = encodeSafetensors([tensor("w", [2, 1], 1, -2), tensor("b", [], 0.5)], { format: "plume" });
    const json =
      '{"__metadata__":{"format":"plume"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}';
    const padded = json.padEnd(Math.ceil(json.length / 8) * 8, " ");
    const length = [padded.length, 0, 0, 0, 0, 0, 0, 0];
    const data = [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f];
    expect([...bytes]).toEqual([...length, ...Buffer.from(padded), ...data]);
  });

  it("gives back every bit of every tensor, NaNs and negative zeros included", () => {
    fc.assert(
      fc.property(anyTensors, (tensors) => {
        const bytes = encodeSafetensors(tensors);
        expect(Number(Buffer.from(bytes).readBigUInt64LE(0)) % 8).toBe(0);
        const read = decodeSafetensors(bytes, "t");
        expect([...read.keys()].sort()).toEqual(tensors.map(({ name }) => name).sort());
        for (const { name, shape, values } of tensors) {
          expect(read.get(name)!.shape).toEqual(shape);
          expect(Buffer.from(read.get(name)!.values.buffer).equals(Buffer.from(values.buffer))).toBe(true);
        }
      }),
    );
  });

  it("reads from a view that starts at any byte, as a slice of a larger buffer does", () => {
    const bytes = encodeSafetensors([tensor("w", [3], 1, 2, 3)]);
    for (let shift = 0; shift < 8; shift++) {
      const larger = Buffer.alloc(bytes.length + 8);
      larger.set(bytes, shift);
      const values = decodeSafetensors(larger.subarray(shift, shift + bytes.length), "t").get("w")!.values;
      expect([...values]).toEqual([1, 2, 3]);
    }
  });

  it("reads tensors of another writer, whose header is in another order than the bytes", () => {
    const header =
      '{"z":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
    const read = decodeSafetensors(file(header, new Uint8Array(Float32Array.of(7, 9).buffer)), "t");
    expect(read.get("a")!.values[0]).toBe(7);
    expect(read.get("z")!.values[0]).toBe(9);
  });

  it.each([
    ["three bytes", Uint8Array.of(1, 2, 3), "3 bytes"],
    ["a header longer than the file", file("{}").subarray(0, 9), "a header of 2 bytes in 9"],
    ["a header that is no JSON", file("{no"), "JSON"],
    ["a header that is a list", file("[]"), "no mapping"],
    ["an entry without offsets", file('{"w":{"dtype":"F32","shape":[1]}}'), "tensor w lacks"],
    ["another dtype", file('{"w":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}', new Uint8Array(2)), "w is BF16"],
    ["too few bytes", file('{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', new Uint8Array(4)), "of 4"],
    [
      "a shape of another size",
      file('{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}', new Uint8Array(8)),
      "8 bytes for shape [3]",
    ],
    ["a gap", file('{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', new Uint8Array(8)), "starts at byte 4"],
    ["bytes left over", file('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', new Uint8Array(9)), "5 bytes"],
    [
      "tensors that overlap",
      file(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        new Uint8Array(4),
      ),
      "tensor b starts at byte 0",
    ],
  ])("refuses %s as DATA_LOSS, naming the file and the fault", (_, bytes, fault) => {
    const refusal = catchError(() => decodeSafetensors(bytes, "step-1/params"));
    expect(refusal).toMatchObject({ code: "DATA_LOSS" });
    expect(refusal.message).toContain("step-1/params");
    expect(refusal.message).toContain(fault);
  });

  it("never fails on damaged bytes with anything but DATA_LOSS", () => {
    const whole = encodeSafetensors([tensor("w", [2, 2], 1, 2, 3, 4), tensor("b", [1], 5)]);
    fc.assert(
      fc.property(
        fc.nat({ max: whole.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (at, flip, cut) => {
          const damaged = Uint8Array.from(whole);
          damaged[at]! ^= flip;
          try {
            decodeSafetensors(cut ? damaged.subarray(0, at) : damaged, "t");
          } catch (error) {
            expect(error).toMatchObject({ name: "PlumeError", code: "DATA_LOSS" });
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("does not write two tensors of one name, the reserved name, or values that do not fill their shape", () => {
    const w = tensor("w", [1], 1);
    expect(() => encodeSafetensors([w, w])).toThrow("w is taken");
    expect(() => encodeSafetensors([tensor("__metadata__", [1], 1)])).toThrow("__metadata__ is taken");
    expect(() => encodeSafetensors([tensor("w", [2], 1)])).toThrow("1 values for shape [2]");
  });
});

function catchError(body: () => unknown): PlumeError {
  try {
    body();
  } catch (error) {
    if (error instanceof PlumeError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
