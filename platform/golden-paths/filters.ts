const LONGEST_NAME = 63;

/** The filters that templates have besides Jinja2's. None may throw: an exception inside one breaks the template engine's instance for good. */
export const filters: Record<string, (value: unknown) => string> = {
  /** A name for Kubernetes: lower case, `_` to `-`, at most 63 characters; a hyphen that the cut leaves at the end goes too. */
  k8s_name: (value) => {
    const name = textOf(value).toLowerCase().replaceAll("_", "-");
    return name.length <= LONGEST_NAME ? name : name.slice(0, LONGEST_NAME).replace(/-+$/, "");
  },
  /** A name for an environment variable: upper case, `-` to `_`. */
  env_var: (value) => textOf(value).toUpperCase().replaceAll("-", "_"),
  /** A JSON string, number or boolean as it stands in JSON, JavaScript and YAML alike. Unlike tojson it leaves `'`, `<` and `&` readable. */
  quoted: (value) => {
    try {
      return JSON.stringify(value) ?? "null";
    } catch {
      return "null";
    }
  },
};

function textOf(value: unknown): string {
  try {
    return String(value ?? "");
  } catch {
    return "";
  }
}
