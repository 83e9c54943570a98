/** Lets at most `atOnce` bodies run at a time; the others wait in the order in which they came. A signal ends the waiting. */
export function turns(atOnce: number) {
  let free = atOnce;
  const waiting: (() => void)[] = [];
  return async <T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    if (free > 0) free--;
    else
      await new Promise<void>((resolve, reject) => {
        const giveUp = () => {
          waiting.splice(waiting.indexOf(go), 1);
          reject(signal?.reason as Error);
        };
        const go = () => {
          signal?.removeEventListener("abort", giveUp);
          resolve();
        };
        if (signal?.aborted) return reject(signal.reason as Error);
        signal?.addEventListener("abort", giveUp, { once: true });
        waiting.push(go);
      });
    try {
      return await body();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
