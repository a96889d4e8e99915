// Words for why rows of a list are left out.

import { count } from "./format.js";

const REASONS = {
  duplicate: ["repeats an address", "repeat an address"],
  invalid_email: ["has no valid address", "have no valid address"],
  malformed: ["cannot be read", "cannot be read"],
  suppressed: ["is on the suppression list", "are on the suppression list"],
  too_long: ["is too long", "are too long"],
};

/** "7 rows have no valid address" */
export function reasonText(reason, rows) {
  const [one, many] = REASONS[reason] ?? [`is rejected (${reason})`, `are rejected (${reason})`];
  return `${count(rows, "row")} ${rows === 1 ? one : many}`;
}

/** One text for each reason why rows of the list get no email. */
export function leftOut({ reasons, rejected, excluded }) {
  const known = Object.entries(reasons ?? {});
  const texts = known.map(([reason, rows]) => reasonText(reason, rows));
  if (!known.length && rejected) texts.push(`${count(rejected, "row")} rejected`);
  if (excluded) texts.push(`${count(excluded, "row")} excluded by the campaign's conditions`);
  return texts;
}
