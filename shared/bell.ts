// Wakes whoever waits for something to have changed. Take `next` before looking at what may change: no ring is lost then.

export interface Bell {
  readonly next: Promise<void>;
  ring(): void;
}

export function createBell(): Bell {
  let resolve = () => {};
  let next!: Promise<void>;
  const hang = () => {
    next = new Promise((done) => {
      resolve = done;
    });
  };
  hang();
  return {
    get next() {
      return next;
    },
    ring() {
      resolve();
      hang();
    },
  };
}
