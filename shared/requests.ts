// Requests with an id to a thread or a process, whose answers come later, in any order, or never.

export interface Requests<Reply> {
  /** Hands a fresh id to `send`; settles with what is said of that id. Rejects once the other end is gone. */
  ask(send: (id: number) => void): Promise<Reply>;
  resolve(id: number, reply: Reply): void;
  reject(id: number, error: Error): void;
  /** The other end is gone: all that waits fails with this error, all that is asked later with the first one given. */
  end(error: Error): void;
  readonly waiting: number;
}

export function createRequests<Reply>(): Requests<Reply> {
  const waiting = new Map<number, { resolve: (reply: Reply) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  let over: Error | null = null;
  const take = (id: number) => {
    const request = waiting.get(id);
    waiting.delete(id);
    return request;
  };
  return {
    ask(send) {
      if (over) return Promise.reject(over);
      return new Promise((resolve, reject) => {
        waiting.set(++lastId, { resolve, reject });
        send(lastId);
      });
    },
    resolve: (id, reply) => take(id)?.resolve(reply),
    reject: (id, error) => take(id)?.reject(error),
    end(error) {
      over ??= error;
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    },
    get waiting() {
      return waiting.size;
    },
  };
}
