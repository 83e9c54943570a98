import { z } from "zod";

/** A secret's name: what score.yaml writes after `resources.NAME.`. */
export const SecretName = z
  .string()
  .max(100)
  .regex(/^[A-Za-z][A-Za-z0-9_-]*$/, "letters, digits, '_' and '-', beginning with a letter");

/** A secret that somebody set for a service, as everybody may see it: never its value. */
export const SecretInfo = z
  .object({
    name: SecretName,
    environment: z.string(),
    /** Of this value; another value is another version. */
    version: z.string(),
    setBy: z.string(),
    setAt: z.coerce.date(),
    /** `unused`: score.yaml of what was released last does not name it; `older`: that has the value from before, until the next release. */
    use: z.enum(["current", "older", "unused"]),
  })
  .meta({ id: "SecretInfo" });
export type SecretInfo = z.infer<typeof SecretInfo>;
