// The chip in the header that says whether emails really leave, and the link to those that are saved as files.

import { accounts, destination, isLive, providerName } from "./accounts.js";
import { connection } from "./connection.js";
import { h, write } from "./dom.js";

/** Show the chip, now and again whenever the server is back. */
export function beginChip() {
  const chip = document.getElementById("destination");
  const show = () =>
    accounts()
      .then((found) => {
        const live = found.filter(isLive);
        chip.classList.toggle("live", live.length > 0);
        write(chip, live.length > 1 ? `Live: ${names(live)}` : destination(live[0] ?? found[0]));
        chip.hidden = false;
        document.getElementById("outbox-link").hidden = live.length === found.length;
      })
      .catch(() => undefined); // the banner says what is wrong; "back" comes here again
  connection.addEventListener("back", show);
  show();
}

function names(live) {
  return [...new Set(live.map(({ provider }) => providerName(provider)))].join(", ");
}

/** The same chip for one account, to stand in a text. */
export function destinationChip(account) {
  return h("span", { class: isLive(account) ? "chip live" : "chip" }, destination(account));
}
