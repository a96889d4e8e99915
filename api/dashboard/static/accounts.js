// The provider accounts: fetched once for all parts of the page, and the words in which the page names them.

import { get } from "./client.js";
import { connection } from "./connection.js";

/**
 * @typedef {object} Account A provider account, as `GET /accounts` returns it.
 * @property {string} name
 * @property {string} provider `sendgrid`, `ses`, `smtp` or `outbox`
 * @property {number|null} tpm its limit in emails per minute
 * @property {number} sent_last_minute
 * @property {"closed"|"open"|"half-open"} breaker
 * @property {string|null} reason why the circuit breaker is not closed
 */

/** The account of a campaign that names none. */
const DEFAULT_ACCOUNT = "default";
/** How long an answer is used again, in ms. */
const FRESH_MS = 4_000;
const NAMES = { sendgrid: "SendGrid", ses: "Amazon SES", smtp: "SMTP", outbox: "files" };

let asked = null;
let askedAt = 0;

connection.addEventListener("back", () => {
  asked = null;
});

/** @returns {Promise<Account[]>} all accounts, at most a few seconds old */
export function accounts() {
  if (!asked || Date.now() - askedAt > FRESH_MS) {
    askedAt = Date.now();
    asked = get("/accounts");
    asked.catch(() => {
      asked = null;
    });
  }
  return asked;
}

/** @returns {Promise<Account|undefined>} the account that sends a campaign */
export async function accountOf(campaign) {
  return (await accounts()).find(({ name }) => name === (campaign.account ?? DEFAULT_ACCOUNT));
}

/** The provider's name for people. */
export function providerName(provider) {
  return NAMES[provider] ?? provider;
}

/** Whether an account's emails leave for real recipients. */
export function isLive({ provider }) {
  return provider !== "outbox";
}

/** Where an account's emails go, in a few words: "Live: SendGrid", "Test mode: emails are saved as files". */
export function destination(account) {
  if (!isLive(account)) return "Test mode: emails are saved as files";
  const named = account.name === DEFAULT_ACCOUNT ? "" : ` (${account.name})`;
  return `Live: ${providerName(account.provider)}${named}`;
}
