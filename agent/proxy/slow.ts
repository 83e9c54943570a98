/** Something that goes on only as fast as its client does. */
export interface Paced {
  /** Whether it is the client that is waited for, not the service. */
  waits(): boolean;
  /** Bytes that have gone through so far. */
  moved(): number;
  giveUp(): void;
}

/** Less than this is no progress. Source for the idea: mod_reqtimeout's MinRate. */
const LEAST_BYTES_A_SECOND = 100;
const LOOK_EVERY_SECONDS = 5;

/**
 * Ends what clients hold up by sending or reading next to nothing: each would hold a connection to the service, for as long as it likes. What waits for the service
 * is never ended here. Requests without a body whose answer is read in time never come by.
 */
export class SlowClients {
  readonly #paced = new Map<Paced, { patienceSeconds: number; moved: number; heldSeconds: number }>();
  #timer: NodeJS.Timeout | undefined;

  add(paced: Paced, patienceSeconds: number): void {
    this.#paced.set(paced, { patienceSeconds, moved: paced.moved(), heldSeconds: 0 });
    this.#timer ??= setInterval(() => this.look(LOOK_EVERY_SECONDS), LOOK_EVERY_SECONDS * 1000).unref();
  }

  delete(paced: Paced): void {
    this.#paced.delete(paced);
    if (this.#paced.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  get size(): number {
    return this.#paced.size;
  }

  /** Looks once, `seconds` after the last look. */
  look(seconds: number): void {
    for (const [paced, state] of this.#paced) {
      const moved = paced.moved();
      const isHeld = paced.waits() && moved - state.moved < LEAST_BYTES_A_SECOND * seconds;
      state.moved = moved;
      state.heldSeconds = isHeld ? state.heldSeconds + seconds : 0;
      if (state.heldSeconds < state.patienceSeconds) continue;
      this.delete(paced);
      paced.giveUp();
    }
  }
}
