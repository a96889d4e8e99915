// Numbers, sizes, durations and times as people read them.

const NUMBER = new Intl.NumberFormat("en");
const DECIMAL = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const TIME = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function number(value) {
  return NUMBER.format(value);
}

/** "1 row", "2 rows". */
export function count(value, one, many = `${one}s`) {
  return `${NUMBER.format(value)} ${value === 1 ? one : many}`;
}

/** A rate or another measured value, with one decimal below 100. */
export function decimal(value) {
  return DECIMAL.format(value < 100 ? value : Math.round(value));
}

/** A share, never rounded up to 100 % or down to 0 %. */
export function percent(part, whole) {
  if (!whole) return "0\u00a0%";
  const exact = (100 * part) / whole;
  if (part > 0 && exact < 0.1) return "<\u00a00.1\u00a0%";
  if (part < whole && exact > 99.9) return ">\u00a099.9\u00a0%";
  return `${DECIMAL.format(exact < 10 || exact > 99 ? exact : Math.round(exact))}\u00a0%`;
}

export function bytes(size) {
  const power = size < 1 ? 0 : Math.min(Math.floor(Math.log2(size) / 10), UNITS.length - 1);
  return `${DECIMAL.format(size / 1024 ** power)} ${UNITS[power]}`;
}

/** Seconds as "45 s", "12 min", "3 h 20 min", "2 days 4 h". */
export function duration(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days ${hours % 24} h`;
}

/** A time in the reader's time zone. */
export function time(iso) {
  return TIME.format(new Date(iso));
}

/** "spring_sale" -> "Spring sale". */
export function words(name) {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
