// Numbers and names as people read them.

export const score = (value) =>
  value === null || value === undefined ? "–" : Math.abs(value) >= 100 ? value.toPrecision(5) : value.toFixed(4);

export const signed = (value) =>
  value === null || value === undefined ? "–" : (value >= 0 ? "+" : "−") + score(Math.abs(value));

/** A hyperparameter's value: short, but never rounded to something else. */
export function value(v) {
  if (v === null || v === undefined) return "not set";
  if (typeof v !== "number" || Number.isInteger(v)) return String(v);
  return Math.abs(v) < 0.0001 && v !== 0 ? v.toExponential().replace("e-", "e−") : String(v);
}

export function seconds(total) {
  if (total === null || total === undefined) return "–";
  if (total < 10) return `${total.toFixed(1)} s`;
  const whole = Math.round(total);
  if (whole < 60) return `${whole} s`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  return whole % 60 && minutes < 10 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
}

export const megabytes = (mb) =>
  mb === null || mb === undefined
    ? "–"
    : mb >= 1000
      ? `${(mb / 1000).toFixed(1)} GB`
      : `${mb < 10 ? mb.toFixed(1) : Math.round(mb)} MB`;

export const usd = (v) => (v ? `$${v < 0.1 ? v.toFixed(4) : v.toFixed(2)}` : "$0");

export const count = (n, one, many = `${one}s`) => `${(n ?? 0).toLocaleString("en")} ${n === 1 ? one : many}`;

export const clock = (iso) =>
  new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

export function ago(iso) {
  const past = (Date.now() - new Date(iso)) / 1000;
  if (past < 60) return "just now";
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  if (past < 86400) return `${Math.floor(past / 3600)} h ago`;
  return new Date(iso).toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" });
}

/** learning_rate as words. */
export const words = (name) => name.replaceAll("_", " ");

/** [name, value, other] for each hyperparameter in which two configurations differ. */
export function differences(config, other) {
  const names = new Set([...Object.keys(config ?? {}), ...Object.keys(other ?? {})]);
  return [...names].filter((n) => config[n] !== other?.[n]).map((n) => [n, value(config[n]), value(other?.[n])]);
}

export const configLine = (config, other) =>
  differences(config, other)
    .map(([name, v]) => `${words(name)} ${v}`)
    .join(" · ") || "as the default";

/** Words as a sentence: a capital first, a full stop last. */
export const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${/[.!?)]$/.test(text) ? "" : "."}`;
