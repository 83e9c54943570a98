const words = "as break const continue else false for function if import in let loop package namespace null return true var void while";

/** Words that may be field names, but no variables. */
export const reserved: ReadonlySet<string> = new Set(words.split(" "));
