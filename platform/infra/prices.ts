import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { z } from "zod";
import { messageOf } from "../kernel/faults.ts";
import { priceListInvalid } from "./faults.ts";

const amount = z.number().nonnegative();

/** What a month of something costs. What does not stand in it is unknown, which is not the same as free. */
export const PriceList = z.strictObject({
  currency: z.string().regex(/^[A-Z]{3}$/, "an ISO 4217 code such as EUR"),
  monthly: z.record(
    z.string(),
    z.strictObject({
      /** Of one, whatever its size. */
      each: amount.optional(),
      /** Of each core and each GiB that it requests. */
      perCpu: amount.optional(),
      perGib: amount.optional(),
    }),
  ),
});
export type PriceList = z.infer<typeof PriceList>;

/** Reads a price list. Throws `infra.price_list_invalid`. */
export async function loadPrices(path: string): Promise<PriceList> {
  try {
    return PriceList.parse(parse(await readFile(path, "utf8")));
  } catch (error) {
    throw priceListInvalid(path, error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error));
  }
}

/** A month's price of one resource; null where the list, or how much it requests, does not say. */
export function priceOf(
  prices: PriceList,
  type: string,
  requests: { cpu?: string | undefined; memory?: string | undefined } = {},
): number | null {
  const price = Object.hasOwn(prices.monthly, type) ? prices.monthly[type] : undefined;
  if (!price || Object.keys(price).length === 0) return null;
  if (price.perCpu !== undefined && requests.cpu === undefined) return null;
  if (price.perGib !== undefined && requests.memory === undefined) return null;
  const sum =
    (price.each ?? 0) +
    (price.perCpu ?? 0) * coresOf(requests.cpu ?? "0") +
    (price.perGib ?? 0) * (bytesOfQuantity(requests.memory ?? "0") / 2 ** 30);
  return Math.round(sum * 100) / 100;
}

const coresOf = (quantity: string): number => (quantity.endsWith("m") ? Number(quantity.slice(0, -1)) / 1000 : Number(quantity));

const UNITS: Record<string, number> = { "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** Bytes of a Kubernetes quantity such as 256Mi. */
function bytesOfQuantity(quantity: string): number {
  const [, number = "0", unit = ""] = /^([\d.]+)([a-zA-Z]*)$/.exec(quantity) ?? [];
  return Number(number) * (UNITS[unit] ?? Number.NaN);
}
