// The form that sets the limit, in emails per minute.

import { path, post } from "./client.js";
import { freshId, h, write } from "./dom.js";
import { number } from "./format.js";

const MAX_TPM = 10_000_000;
/** The states in which the limit changes nothing any more. */
const OVER = ["completed", "cancelled"];

/** The form; `perform` runs its step. */
export function rateForm(campaignId, perform) {
  const [id, hintId] = [freshId("tpm"), freshId("hint")];
  const field = h("input", {
    id,
    type: "number",
    min: 1,
    max: MAX_TPM,
    step: 1,
    required: true,
    inputmode: "numeric",
    "aria-describedby": hintId,
  });
  const hint = h("span", { id: hintId, class: "quiet" });
  const submit = (event) => {
    event.preventDefault();
    perform(async () => {
      const { rate_limit: tpm } = await post(path(campaignId, "rate-limit"), { tpm: Number(field.value) });
      field.defaultValue = field.value = String(tpm);
      return `The limit is now ${number(tpm)} emails per minute.`;
    });
  };
  const node = h(
    "form",
    { class: "rate", onsubmit: submit },
    h("label", { for: id }, "Emails per minute"),
    field,
    h("button", { class: "button", type: "submit", "data-step": true }, "Set limit"),
    hint,
  );
  const update = (status) => {
    node.hidden = [...OVER, "rejected"].includes(status.status);
    const touched = field.value !== field.defaultValue;
    if (!touched || !field.value) field.defaultValue = field.value = String(status.rate_limit);
    write(
      hint,
      touched && field.value !== String(status.rate_limit)
        ? `Now ${number(status.rate_limit)}`
        : "Takes effect at once, also while emails are sent.",
    );
  };
  return { node, update };
}
