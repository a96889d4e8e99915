// Asks for the name of a copy of a campaign.

import { showDialog } from "./dialogs.js";
import { h } from "./dom.js";
import { campaignName } from "./making/campaign_name.js";

/** Ask; resolves to the id of the copy, or "" if there shall be none. */
export async function askCopyId(campaignId) {
  const name = campaignName(`${campaignId} copy`);
  const answer = await showDialog({
    title: `Duplicate ${campaignId}`,
    make: (close) => {
      const submit = (event) => {
        event.preventDefault();
        close("yes");
      };
      const form = h("form", { id: "copy-form", onsubmit: submit }, name.node);
      return {
        body: [
          h("p", {}, "The copy is a draft with the same content, settings and attachments, and without a list."),
          form,
        ],
        actions: [
          h("button", { class: "button", type: "button", onclick: () => close("") }, "Go back"),
          h("button", { class: "button primary", type: "submit", form: "copy-form" }, "Duplicate"),
        ],
        focus: name.input,
      };
    },
  });
  return answer === "yes" ? name.id() : "";
}
