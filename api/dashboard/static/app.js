// Starts the page, and maps each address to what it shows.

import { accountsPage } from "./accounts_page.js";
import { campaignPage } from "./campaign_page.js";
import { campaignsPage } from "./campaigns_page.js";
import { begin } from "./connection.js";
import { beginChip } from "./destination_chip.js";
import { fill, h } from "./dom.js";
import { newCampaignPage } from "./making/new_campaign_page.js";
import { outboxPage } from "./outbox/outbox_page.js";
import { peoplePage } from "./people/people_page.js";
import { suppressionsPage } from "./people/suppressions_page.js";
import { offerToForget } from "./token.js";

/** Addresses, what they show, and what two addresses have in common that are steps of one page. */
const ROUTES = [
  [/^#?\/?$/, () => campaignsPage(new URLSearchParams())],
  [/^#\/\?(.{0,500})$/, (question) => campaignsPage(new URLSearchParams(question))],
  [/^#\/new$/, () => newCampaignPage()],
  [/^#\/people$/, () => peoplePage()],
  [/^#\/suppressions$/, () => suppressionsPage()],
  [/^#\/outbox$/, () => outboxPage("")],
  [/^#\/outbox\/([^/]+)$/, (id) => outboxPage(id)],
  [/^#\/accounts$/, () => accountsPage()],
  [/^#\/campaigns\/([^/]+)$/, (id) => campaignPage(id), (id) => id],
  [/^#\/campaigns\/([^/]+)\/(content|list|check|send)$/, (id, step) => campaignPage(id, step), (id) => id],
];

const main = document.getElementById("main");
let shown = null;

function made(address) {
  try {
    for (const [pattern, page, same] of ROUTES) {
      const match = pattern.exec(address);
      if (!match) continue;
      // A question decodes itself; other parts of an address are single names.
      const parts = pattern.source.includes("?(") ? match.slice(1) : match.slice(1).map(decodeURIComponent);
      const key = same?.(...parts) ?? null;
      if (key !== null && key === shown?.key) {
        shown.go(...parts.slice(1));
        return shown;
      }
      document.title = "Postrider";
      return { ...page(...parts), key };
    }
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  return {
    node: h(
      "div",
      {},
      h("h1", { tabindex: "-1" }, "Page not found"),
      h("p", {}, h("a", { href: "#/" }, "All campaigns")),
    ),
    leave: () => undefined,
  };
}

function show() {
  const before = shown;
  const now = made(location.hash);
  if (now === before) return; // another step of the same page
  before?.leave();
  shown = now;
  fill(main, shown.node);
  markPlace();
  if (!before) return;
  window.scrollTo(0, 0);
  main.querySelector("h1")?.focus({ preventScroll: true });
}

/** The link of the header that leads to where the page is. */
function markPlace() {
  const [, place = ""] = location.hash.split("/");
  for (const link of document.querySelectorAll("#places a")) {
    const own = link.hash.split("/")[1] ?? "";
    if (own === (["campaigns", "new"].includes(place) || place.startsWith("?") ? "" : place))
      link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", show);
offerToForget();
begin();
beginChip();
show();
