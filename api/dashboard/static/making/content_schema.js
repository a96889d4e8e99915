// Which fields the server's content has: the API's description says so, so that older and newer servers both work.

import { get } from "../client.js";

let asked = null;

/** @returns {Promise<Set<string>>} the names of the fields of `PUT /campaigns/{id}` */
export function contentFieldNames() {
  asked ??= get("/openapi.json").then(
    (description) => new Set(Object.keys(description.components.schemas.Content.properties)),
  );
  asked.catch(() => {
    asked = null;
  });
  return asked;
}

/**
 * A campaign's content as it would be PUT again: the fields that the form does not show keep their values.
 *
 * @param {Record<string, unknown>} campaign as GET returns it
 * @param {Set<string>} names
 */
export function contentOf(campaign, names) {
  const content = {};
  for (const name of names) {
    const value = campaign[name];
    if (value !== null && value !== undefined) content[name] = value;
  }
  if (campaign.brake === null && names.has("brake")) content.brake = null; // turned off, which is not the default
  if (content.text_from_html) delete content.text_from_html; // what the server decided, not what a person wanted
  return content;
}
