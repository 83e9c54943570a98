/** Lets waiting code sleep until something is said about an id, or some time has passed. */
export class Wakes {
  readonly #sleepers = new Map<string, Set<() => void>>();

  /** Ends at `wake(id)`, after `seconds`, or when the signal aborts; never throws. */
  sleep(id: string, seconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleepers = this.#sleepers.get(id) ?? new Set();
      this.#sleepers.set(id, sleepers);
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        sleepers.delete(end);
        if (sleepers.size === 0 && this.#sleepers.get(id) === sleepers) this.#sleepers.delete(id);
        resolve();
      };
      const timer = setTimeout(end, Math.min(seconds * 1000, 2 ** 31 - 1));
      signal.addEventListener("abort", end);
      sleepers.add(end);
    });
  }

  wake(id: string): void {
    // A set may shrink while it is walked.
    for (const end of this.#sleepers.get(id) ?? []) end();
  }

  wakeAll(): void {
    for (const id of this.#sleepers.keys()) this.wake(id);
  }
}

/** What a run's own steps sleep on: woken by messages and cancellations, and not by what is shown of it. */
export const newsOf = (run: string): string => `${run} news`;
