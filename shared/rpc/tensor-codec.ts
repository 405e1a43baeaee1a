// The hot path of the transport: messages whose only field is `bytes`, encoded by hand. The frame is plain protobuf
// (tag, length, payload), so any client that speaks training.proto can read it; what is saved is ts-proto's copies
// (measured: 1.5 ms a MiB to encode, 0.5 to decode). Encoding costs the one copy that grpc-js makes, decoding none.

const LENGTH_DELIMITED = 2;

/**
 * The frame of a message whose field `field` holds `payload`. grpc-js takes a message's length and copies it behind its
 * own five bytes, and does nothing else with it, so that is all a frame is: its bytes are put together there, once.
 * test/contract/transport.test.ts sends such frames to a server that decodes them as ts-proto does.
 */
export function encodeBytesField(field: number, payload: Uint8Array): Buffer {
  const varint = lengthBytes(payload.byteLength);
  const length = 1 + varint + payload.byteLength;
  const frame: Frame = {
    length,
    byteLength: length,
    copy(target, at) {
      target[at] = (field << 3) | LENGTH_DELIMITED;
      let rest = payload.byteLength;
      for (let i = 1; i <= varint; i++, rest = Math.floor(rest / 128))
        target[at + i] = (rest % 128) | (i < varint ? 0x80 : 0);
      target.set(payload, at + 1 + varint);
      return length;
    },
  };
  return frame as Buffer;
}

/** What grpc-js asks of a serialized message. */
type Frame = Pick<Buffer, "length" | "byteLength"> & { copy(target: Uint8Array, at: number): number };

/** @returns a view on the payload, or null when the frame is anything but that one field. */
export function decodeBytesField(field: number, frame: Buffer): Buffer | null {
  if (frame.length < 2 || frame[0] !== ((field << 3) | LENGTH_DELIMITED)) return null;
  let length = 0;
  let at = 1;
  for (let scale = 1; at < frame.length && at <= 5; scale *= 128) {
    const byte = frame[at++]!;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) return at + length === frame.length ? frame.subarray(at) : null;
  }
  return null;
}

function lengthBytes(length: number): number {
  let n = 1;
  for (let rest = length; rest >= 128; rest = Math.floor(rest / 128)) n++;
  return n;
}
