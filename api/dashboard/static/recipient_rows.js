// Reads the first rows of the export of recipients, as objects.

import { path, send } from "./client.js";

/** How much of the export is read, in characters: some ten thousand rows. */
const MOST_CHARACTERS = 1_000_000;
/** One row of the export: its fields are quoted, and a quote inside is doubled. */
const ROW = /^"(\d+)","((?:[^"]|"")*)","(\w+)","((?:[^"]|"")*)"\r?$/;

/**
 * The first rows in one state.
 *
 * @param {string} campaignId
 * @param {string} state
 * @param {AbortSignal} signal
 * @yields {{row: number, email: string, reason: string}}
 */
export async function* recipientRows(campaignId, state, signal) {
  const ended = new AbortController();
  const answer = await send("GET", `${path(campaignId, "recipients.csv")}?${new URLSearchParams({ state })}`, {
    signal: AbortSignal.any([signal, ended.signal]),
    timeoutMs: 0,
  });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let [rest, seen] = ["", 0];
    for (let done = false; !done && seen <= MOST_CHARACTERS;) {
      const piece = await reader.read();
      done = piece.done;
      const lines = (rest + (piece.value ?? "")).split("\n");
      rest = done ? "" : lines.pop();
      for (const line of lines) {
        const match = ROW.exec(line);
        if (match) yield { row: Number(match[1]), email: plain(match[2]), reason: plain(match[4]) };
      }
      seen += piece.value?.length ?? 0;
    }
  } finally {
    ended.abort(); // the rest of the export is not wanted
  }
}

function plain(cell) {
  return cell.replaceAll('""', '"');
}
