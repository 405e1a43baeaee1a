// NumPy's .npy format, version 1.0, for uint8 arrays.

export function encodeNpy(values: Uint8Array, shape: readonly number[]): Uint8Array {
  const dictionary = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  // Magic, version and length take 10 bytes; the whole header is a multiple of 64 and ends with a newline.
  const total = Math.ceil((10 + dictionary.length + 1) / 64) * 64;
  const file = Buffer.alloc(total + values.length, " ");
  file.write("\x93NUMPY\x01\x00", 0, "latin1");
  file.writeUInt16LE(total - 10, 8);
  file.write(dictionary, 10, "latin1");
  file[total - 1] = 0x0a;
  file.set(values, total);
  return file;
}
