// A TCP proxy between a worker and its coordinator that can break the network in the ways networks break. It sees streams,
// not packets: what it loses is lost for good, where a real TCP would send it again, and nothing is reordered or repeated.

import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export type Direction = "up" | "down";

/** "up" is client to target. */
export type Fault =
  | { kind: "none" }
  /** Every chunk is held for ms and up to jitterMs more; the order is kept. */
  | { kind: "delay"; ms: number; jitterMs?: number; seed?: number }
  /** 100 % packet loss: bytes, and the news that a side is gone, go nowhere; the sockets stay open. */
  | { kind: "drop" }
  /** The same in one direction. */
  | { kind: "half-open"; direction: Direction }
  | { kind: "refuse" }
  /** A token bucket per connection and direction. */
  | { kind: "slow"; bytesPerSecond: number }
  /** Flips one bit of every everyBytes-th byte, counted per connection from set() on. */
  | { kind: "corrupt"; direction: Direction; everyBytes: number };

export interface FaultProxy extends AsyncDisposable {
  /** host:port */
  readonly address: string;
  /** Open now. */
  readonly connections: number;
  /** Passed on by all connections so far; swallowed bytes do not count. */
  readonly bytes: { up: number; down: number };
  /** Bits flipped by all faults so far. */
  readonly flips: { up: number; down: number };
  /** Applies to open and future connections at once. Lifting a loss destroys the connections that lost something. */
  set(fault: Fault): void;
  /** Resets every open connection; new ones are accepted. */
  cutAll(): void;
}

/** What a lane holds before it stops reading; a long delay holds more, or it would limit the speed as well. */
const HELD_BYTES = 1 << 16;
const HELD_BYTES_DELAYED = 1 << 23;

const mutes = (fault: Fault, direction: Direction) =>
  fault.kind === "drop" || (fault.kind === "half-open" && fault.direction === direction);

/** RST, where the socket can: not before it is connected, nor while its FIN is on the way (libuv refuses that). */
function reset(socket: Socket): void {
  if (socket.connecting || (socket.writableEnded && !socket.writableFinished)) socket.destroy();
  else if (!socket.destroyed) socket.resetAndDestroy();
}

type Totals = Pick<FaultProxy, "bytes" | "flips">;

/** One direction of one connection. */
function startLane(
  direction: Direction,
  id: number,
  from: Socket,
  to: Socket,
  { bytes: bytesOf, flips: flipsOf }: Totals,
) {
  let fault: Fault = { kind: "none" };
  // A part without bytes is the end of the stream, which waits its turn like any other.
  let queue: { bytes: Buffer; due: number }[] = [];
  let queued = 0;
  let timer: NodeJS.Timeout | undefined;
  let random = 0;
  let tokens = 0;
  let filledAt = 0;
  let untilFlip = 0;
  let flips = 0;
  const lane = { direction, /** Something was swallowed: the stream has a hole. */ lost: false, apply, stop };

  function apply(next: Fault): void {
    fault = next;
    filledAt = performance.now();
    tokens = flips = 0;
    if (next.kind === "corrupt") untilFlip = next.everyBytes;
    if (next.kind === "delay") random = Math.imul((next.seed ?? 0) + id, 0x9e3779b1) ^ (direction === "up" ? 0 : -1);
    // What an older, longer delay still holds goes no later than the new fault would let it.
    const latest = filledAt + (next.kind === "delay" ? next.ms : 0);
    for (const part of queue) part.due = Math.min(part.due, latest);
    flush();
  }

  function take(bytes: Buffer): void {
    let due = performance.now();
    if (fault.kind === "delay") {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      due += fault.ms + (fault.jitterMs ?? 0) * (random / 2 ** 32);
    }
    queue.push({ bytes, due: Math.max(due, queue.at(-1)?.due ?? 0) });
    queued += bytes.length;
    flush();
  }

  function flush(): void {
    clearTimeout(timer);
    if (mutes(fault, direction) || to.destroyed) {
      lane.lost ||= queued > 0;
      // The end is kept: TCP would send it again, and without a hole before it the stream is whole.
      queue = queue.filter(({ bytes }) => bytes.length === 0 && !to.destroyed).slice(0, 1);
      queued = 0;
    } else {
      // When the receiver is full, the queue waits for its drain event.
      while (queue.length > 0 && !to.writableNeedDrain) {
        const { bytes, due } = queue[0]!;
        const now = performance.now();
        const { size, wait } = due > now ? { size: 0, wait: due - now } : allowance(bytes.length, now);
        if (wait > 0) {
          timer = setTimeout(flush, Math.ceil(wait));
          break;
        }
        if (size === bytes.length) queue.shift();
        else queue[0]!.bytes = bytes.subarray(size);
        if (size === 0) to.end();
        else send(bytes.subarray(0, size));
      }
    }
    if (queued >= (fault.kind === "delay" ? HELD_BYTES_DELAYED : HELD_BYTES)) from.pause();
    else if (from.isPaused()) from.resume();
  }

  /** How much of a chunk may go now (a twentieth of a second's worth at most), or how long to wait for that. */
  function allowance(length: number, now: number): { size: number; wait: number } {
    if (fault.kind !== "slow") return { size: length, wait: 0 };
    const rate = fault.bytesPerSecond;
    const burst = Math.max(1, Math.floor(rate / 20));
    const size = Math.min(length, burst);
    tokens = Math.min(2 * burst, tokens + ((now - filledAt) * rate) / 1000);
    filledAt = now;
    if (tokens < size) return { size, wait: ((size - tokens) * 1000) / rate };
    tokens -= size;
    return { size, wait: 0 };
  }

  function send(bytes: Buffer): void {
    if (fault.kind === "corrupt" && fault.direction === direction) {
      for (; untilFlip <= bytes.length; untilFlip += fault.everyBytes) {
        bytes[untilFlip - 1]! ^= 1 << (flips++ % 8);
        flipsOf[direction]++;
      }
      untilFlip -= bytes.length;
    }
    queued -= bytes.length;
    bytesOf[direction] += bytes.length;
    to.write(bytes);
  }

  function stop(): void {
    clearTimeout(timer);
    queue = [];
  }

  from.on("data", take);
  from.on("end", () => take(Buffer.alloc(0)));
  to.on("drain", flush);
  return lane;
}

function startConnection(id: number, client: Socket, target: Socket, totals: Totals) {
  const ends = [
    { socket: client, lane: startLane("up", id, client, target, totals) },
    { socket: target, lane: startLane("down", id, target, client, totals) },
  ];
  let fault: Fault = { kind: "none" };
  const connection = { cut: false, closed: Promise.all(ends.map(watch)), apply, destroy };

  function watch({ socket, lane }: (typeof ends)[number]): Promise<void> {
    socket.setNoDelay(true);
    socket.on("error", () => {}); // "close" follows and tells.
    return new Promise((resolve) => {
      socket.on("close", (failed) => {
        resolve();
        // After an orderly end the lane passes that on itself. A reset is news like any other: a loss swallows it.
        if (!failed || connection.cut) return;
        if (mutes(fault, lane.direction)) lane.lost = true;
        else destroy();
      });
    });
  }

  function apply(next: Fault): void {
    if (connection.cut) return;
    fault = next;
    if (next.kind === "refuse" || ends.some(({ lane }) => lane.lost && !mutes(next, lane.direction))) destroy();
    else for (const { lane } of ends) lane.apply(next);
  }

  function destroy(): void {
    connection.cut = true;
    for (const { lane, socket } of ends) {
      lane.stop();
      reset(socket);
    }
  }

  return connection;
}

/** @param target host:port, asked for at every connection when it is a function. */
export async function startFaultProxy(target: string | (() => string)): Promise<FaultProxy> {
  let fault: Fault = { kind: "none" };
  let accepted = 0;
  const totals: Totals = { bytes: { up: 0, down: 0 }, flips: { up: 0, down: 0 } };
  const open = new Set<ReturnType<typeof startConnection>>();
  const cutAll = () => {
    for (const connection of open) connection.destroy();
  };
  const dial = (): Socket => {
    const [, host, port] = /^(.+):(\d+)$/.exec(typeof target === "string" ? target : target())!;
    return connect({ host: host!, port: Number(port), allowHalfOpen: true });
  };
  // Half-close is passed on, so neither side may end by itself.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    client.on("error", () => {});
    if (fault.kind === "refuse") return reset(client);
    let upstream: Socket;
    try {
      upstream = dial();
    } catch {
      return reset(client); // No target is as good as one that cannot be reached.
    }
    const connection = startConnection(accepted++, client, upstream, totals);
    open.add(connection);
    void connection.closed.then(() => open.delete(connection));
    connection.apply(fault);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return [...open].filter(({ cut }) => !cut).length;
    },
    ...totals,
    set(next) {
      if (next.kind === "slow" && !(next.bytesPerSecond > 0)) throw new RangeError("bytesPerSecond must be over 0");
      if (next.kind === "corrupt" && !(Number.isInteger(next.everyBytes) && next.everyBytes > 0))
        throw new RangeError("everyBytes must be a whole number over 0");
      fault = next;
      for (const connection of open) connection.apply(next);
    },
    cutAll,
    async [Symbol.asyncDispose]() {
      const stopped = new Promise((resolve) => server.close(resolve));
      cutAll();
      await Promise.all([stopped, ...[...open].map(({ closed }) => closed)]);
    },
  };
}
