// The dry run of a chosen file: asks the server what the list would give, and shows it. Nothing is kept.

import { path, send } from "../client.js";
import { h } from "../dom.js";
import { findingList } from "../findings.js";
import { bytes, count } from "../format.js";
import { leftOut } from "../reasons.js";
import { DIRECT_BYTES } from "../upload.js";
import { recognisedFacts } from "./list_facts.js";
import { fileKind, firstLines } from "./file_kind.js";

/** A dry run may take long, in ms. */
const PATIENCE_MS = 60_000;
/** How many columns of the first rows are shown. */
const COLUMNS_SHOWN = 20;

/**
 * @typedef {object} DryRun
 * @property {object|null} found the server's answer; null: the file can only be read once it is there
 * @property {number|null} sampled the bytes that were read, if that is not the whole file
 */

/**
 * Ask what a file would give as the campaign's list.
 *
 * @param {string} campaignId
 * @param {File} file
 * @param {Record<string, string>} options how to read it; empty values are recognised
 * @param {AbortSignal} signal
 * @returns {Promise<DryRun>}
 */
export async function dryRun(campaignId, file, options, signal) {
  const { problem, packed } = await fileKind(file);
  if (problem) throw Object.assign(new Error(problem), { status: 422 }); // as the server would refuse it
  const whole = file.size <= DIRECT_BYTES;
  if (!whole && packed) return { found: null, sampled: null };
  const body = whole ? file : await firstLines(file);
  const query = new URLSearchParams({ dry_run: "true", filename: file.name.slice(0, 255), ...options });
  const answer = await send("POST", `${path(campaignId, "upload")}?${query}`, {
    body,
    headers: { "Content-Type": "text/csv" },
    signal,
    timeoutMs: PATIENCE_MS,
  });
  return { found: await answer.json(), sampled: whole ? null : body.size };
}

/** What the dry run found: counts, what was recognised, the first rows, warnings. */
export function dryRunShown({ found, sampled }, file) {
  if (!found)
    return h("p", {}, "A packed file of this size can only be read once it is uploaded; its rows are shown here then.");
  const out = leftOut(found);
  const missing = found.missing_columns ?? [];
  const warnings = [
    ...found.warnings.map((warning) => ({
      ...warning,
      level: found.unaccepted.includes(warning.code) ? "acknowledge" : "hint",
    })),
    ...(found.content_warnings ?? []),
  ];
  return [
    sampled &&
      h(
        "p",
        { class: "quiet" },
        `Read from the first ${bytes(sampled)} of ${bytes(file.size)}; the counts are of these rows.`,
      ),
    h(
      "p",
      { class: "lead" },
      h("strong", {}, count(found.accepted, "recipient")),
      out.length ? `; ${out.join(", ")}.` : "; no row is left out.",
    ),
    recognisedFacts(found),
    missing.length > 0 &&
      h(
        "div",
        { class: "callout warning" },
        h(
          "p",
          {},
          `The content uses ${missing.length === 1 ? "a column" : "columns"} that this list lacks: `,
          h("strong", {}, missing.join(", ")),
          ".",
        ),
      ),
    warnings.length > 0 && findingList(warnings),
    firstRows(found),
  ];
}

function firstRows({ columns, sample }) {
  if (!sample.length) return null;
  const names = columns.filter(Boolean).slice(0, COLUMNS_SHOWN);
  const more = columns.filter(Boolean).length - names.length;
  return h(
    "div",
    { class: "scroller", tabindex: "0", role: "region", "aria-label": "First rows" },
    h(
      "table",
      { class: "plain rows" },
      h(
        "caption",
        {},
        more > 0
          ? `The first rows as they will be used, without ${count(more, "more column")}`
          : "The first rows as they will be used",
      ),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          names.map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h(
        "tbody",
        {},
        sample.map((row) =>
          h(
            "tr",
            {},
            names.map((name) => h("td", {}, row[name] ?? "")),
          ),
        ),
      ),
    ),
  );
}
