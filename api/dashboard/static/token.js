// Asks for the API token, once, and keeps it as long as this tab lives.

import { h } from "./dom.js";

let asking = null;

/** Offer to forget the token where there is one. */
export function offerToForget() {
  const button = document.getElementById("forget");
  button.hidden = !sessionStorage.getItem("token");
  button.onclick = () => {
    sessionStorage.removeItem("token");
    location.reload();
  };
}

/** Ask for the token; several callers at once share one question. Resolves once one has been given. */
export function askToken(refused) {
  asking ??= ask(refused).finally(() => {
    asking = null;
  });
  return asking;
}

function ask(refused) {
  return new Promise((resolve) => {
    const field = h("input", {
      id: "token",
      type: "password",
      autocomplete: "off",
      required: true,
      spellcheck: "false",
      "aria-describedby": "token-hint",
      "aria-invalid": refused ? "true" : null,
    });
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "token-title" },
      h(
        "form",
        { method: "dialog", onsubmit: keep },
        h("h2", { id: "token-title" }, "API token"),
        refused && h("p", { class: "problem", role: "alert" }, "The server does not take this token."),
        h(
          "p",
          { id: "token-hint" },
          "This server asks for a token: the value of its setting API_TOKEN, or what is in the file that API_TOKEN_FILE names. ",
          "With docker compose, this shows it: ",
          h("code", {}, "docker compose exec web cat /app/var/api-token"),
          ". ",
          "It stays in this tab and is forgotten when the tab is closed.",
        ),
        h("label", { for: "token" }, "Token"),
        field,
        h("div", { class: "actions" }, h("button", { class: "button primary", type: "submit" }, "Continue")),
      ),
    );
    dialog.addEventListener("cancel", (event) => event.preventDefault()); // without it there is nothing to see

    function keep(event) {
      event.preventDefault();
      sessionStorage.setItem("token", field.value.trim());
      offerToForget();
      dialog.close();
      dialog.remove();
      resolve();
    }

    document.body.append(dialog);
    dialog.showModal();
    field.focus();
  });
}
