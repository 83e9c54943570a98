/** The time, as an argument. Decisions and stores take a Clock; only this file asks the machine. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };
