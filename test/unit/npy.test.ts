import { describe, expect, it } from "vitest";
import { encodeNpy } from "../../shared/data/npy.ts";

describe(".npy files", () => {
  it.each([[[2, 3]], [[1, 2, 3, 1]], [[6]]])(
    "of shape %j have numpy's header, padded to 64 bytes, and the values behind it",
    (shape) => {
      const values = Uint8Array.from([0, 1, 2, 253, 254, 255]);
      const file = Buffer.from(encodeNpy(values, shape));
      expect(file.subarray(0, 8)).toEqual(Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0]));
      const start = 10 + file.readUInt16LE(8);
      expect(start % 64).toBe(0);
      const header = file.toString("latin1", 10, start);
      expect(header).toMatch(/^\{'descr': '\|u1', 'fortran_order': False, 'shape': \([\d, ]+,\), \} *\n$/);
      expect(
        header
          .match(/\(([\d, ]+),\)/)![1]!
          .split(", ")
          .map(Number),
      ).toEqual(shape);
      expect(new Uint8Array(file.subarray(start))).toEqual(values);
    },
  );
});
