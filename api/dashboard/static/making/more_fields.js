// The rarely needed fields of a campaign, behind "More". A field that the server does not know yet is not shown.

import { accounts, destination } from "../accounts.js";
import { h } from "../dom.js";
import { groupField, linesField, numberField, selectField, textField, tickField } from "./field_kinds.js";

const HEADER = /^([^:\s]+)\s*:\s*(.*)$/;

/** The groups with their fields; each field is made from the campaign's value. */
const GROUPS = [
  [
    "Who gets it",
    [
      [
        "where",
        (value) =>
          textField({
            name: "where",
            label: "Only rows for which this is true",
            value,
            spellcheck: "false",
            autocomplete: "off",
            placeholder: "country == 'NO' and score|int > 3",
            hint: "An expression over the list's columns. Other rows are excluded.",
          }),
      ],
      [
        "exclude",
        (value) =>
          linesField({
            name: "exclude",
            label: "Leave out recipients of these campaigns",
            value,
            hint: "One campaign id per line. Who is done or pending there gets no email here.",
          }),
      ],
      [
        "duplicates",
        (value) => {
          const tick = tickField({
            name: "duplicates",
            label: "Send to repeated addresses too",
            value: value === "keep",
            hint: "Otherwise a row that repeats an address is rejected.",
          });
          return { ...tick, value: () => (tick.input.checked ? "keep" : "reject") };
        },
      ],
      [
        "unsubscribe",
        (value) => {
          const tick = tickField({
            name: "unsubscribe",
            label: "This is marketing",
            value: value !== false,
            hint:
              "Each email carries an unsubscribe link, and the whole suppression list is respected. Without the tick: " +
              "only bounces and complaints.",
          });
          return { ...tick, value: () => (tick.input.checked ? (value === true ? true : undefined) : false) };
        },
      ],
    ],
  ],
  [
    "How it is written",
    [
      [
        "inline_css",
        (value) =>
          tickField({
            name: "inline_css",
            label: "Move CSS into the elements",
            value,
            hint: "Some mail programs ignore <style>.",
          }),
      ],
      [
        "text_from_html",
        (value) => {
          const tick = tickField({
            name: "text_from_html",
            label: "Make the text from the HTML if no text is given",
            value: value !== false,
          });
          return { ...tick, value: () => (tick.input.checked ? undefined : false) };
        },
      ],
      ["headers", (value) => headersField(value)],
      [
        "tracking",
        (value) =>
          selectField({
            name: "tracking",
            label: "Open and click tracking by the provider",
            value,
            options: [
              ["account", "As the provider account is set"],
              ["on", "On"],
              ["off", "Off"],
            ],
          }),
      ],
    ],
  ],
  [
    "When and how fast",
    [
      ["account", (value) => accountField(value)],
      [
        "start_at",
        (value) =>
          textField({
            name: "start_at",
            label: "Start at",
            value,
            placeholder: "2026-12-01T09:00",
            autocomplete: "off",
            hint: "With an offset (2026-12-01T09:00+01:00), or in the time zone below. Empty: at once.",
          }),
      ],
      [
        "timezone",
        (value) =>
          textField({
            name: "timezone",
            label: "Time zone",
            value,
            placeholder: Intl.DateTimeFormat().resolvedOptions().timeZone,
            options: Intl.supportedValuesOf("timeZone"),
            autocomplete: "off",
            spellcheck: "false",
          }),
      ],
      [
        "windows",
        (value) =>
          linesField({
            name: "windows",
            label: "Send only in these windows",
            value,
            placeholder: "Mon-Fri 09:00-18:00",
            hint: "One per line. Outside of them nothing is sent.",
          }),
      ],
      ["ramp", (value) => rampField(value)],
      [
        "pause_after",
        (value) =>
          numberField({
            name: "pause_after",
            label: "Pause once after this number of emails",
            value,
            min: 1,
            step: 1,
            hint: "To look at the first results before the rest goes out.",
          }),
      ],
      [
        "weight",
        (value) =>
          numberField({
            name: "weight",
            label: "Share while several campaigns compete (1 to 100)",
            value,
            min: 1,
            max: 100,
            step: 1,
          }),
      ],
    ],
  ],
  [
    "When something goes wrong",
    [
      [
        "on_unknown",
        (value) =>
          selectField({
            name: "on_unknown",
            label: "If it is unknown whether the provider accepted an email",
            value,
            options: [
              ["hold", "Hold the row until someone decides: no recipient gets it twice"],
              ["resend", "Send it again after a while: some may get it twice, but none is left out"],
            ],
          }),
      ],
      ["brake", (value) => brakeField(value)],
    ],
  ],
];

/**
 * The fields.
 *
 * @param {Record<string, unknown>} values
 * @param {Set<string>} names what the server knows
 */
export function moreFields(values, names) {
  const fields = [];
  const node = h(
    "details",
    { class: "more" },
    h("summary", {}, "More"),
    h(
      "div",
      { class: "fields" },
      GROUPS.map(([title, group]) => {
        const made = group.filter(([name]) => names.has(name)).map(([name, make]) => make(values[name]));
        fields.push(...made);
        return (
          made.length > 0 &&
          h(
            "fieldset",
            { class: "group" },
            h("legend", {}, title),
            made.map((field) => field.node),
          )
        );
      }),
    ),
  );
  const open = () => {
    node.open = true;
  };
  return { node, fields, open };
}

function headersField(value) {
  const made = textField({
    name: "headers",
    label: "Headers",
    rows: 2,
    spellcheck: "false",
    placeholder: "X-Campaign: spring",
    value: Object.entries(value ?? {})
      .map(([name, text]) => `${name}: ${text}`)
      .join("\n"),
    hint: "One per line, as in “X-Campaign: spring”.",
  });
  const read = () => {
    const headers = {};
    for (const line of made.input.value.split("\n").filter((text) => text.trim())) {
      const [, name, text] = HEADER.exec(line.trim()) ?? [null, line.trim(), ""];
      headers[name] = text;
    }
    return headers;
  };
  return { ...made, value: read };
}

function rampField(value) {
  const [from, to, hours] = [
    numberField({ name: "ramp.from", label: "From, per minute", value: value?.from, min: 1, step: 1 }),
    numberField({ name: "ramp.to", label: "To, per minute", value: value?.to, min: 1, step: 1 }),
    numberField({ name: "ramp.over_hours", label: "Over, in hours", value: value?.over_hours, min: 0 }),
  ];
  const read = () => {
    const ramp = { from: from.value(), to: to.value(), over_hours: hours.value() };
    return Object.values(ramp).some((part) => part !== undefined) ? ramp : undefined;
  };
  return groupField({
    name: "ramp",
    label: "Warm-up",
    fields: [from, to, hours],
    value: read,
    hint: "The rate rises slowly after the start, for a sender that mailboxes do not know yet.",
  });
}

function brakeField(value) {
  const given = value ?? {};
  const [bounces, complaints, after] = [
    numberField({ name: "brake.bounce_pct", label: "Bounces, in %", value: given.bounce_pct, min: 0, max: 100 }),
    numberField({
      name: "brake.complaint_pct",
      label: "Complaints, in %",
      value: given.complaint_pct,
      min: 0,
      max: 100,
    }),
    numberField({ name: "brake.after", label: "Not before this number", value: given.after, min: 1, step: 1 }),
  ];
  const read = () => {
    const [bounce, complaint] = [bounces.value() ?? null, complaints.value() ?? null]; // null: no limit
    if (bounce !== null || complaint !== null)
      return { bounce_pct: bounce, complaint_pct: complaint, after: after.value() };
    return value === undefined ? undefined : null; // emptied: off; never given: the server's default
  };
  return groupField({
    name: "brake",
    label: "Pause if more than",
    fields: [bounces, complaints, after],
    value: read,
    hint: "By the provider's events. All empty: no brake.",
  });
}

function accountField(value) {
  const made = selectField({
    name: "account",
    label: "Provider account",
    options: [[value ?? "default", value ?? "default"]],
    value,
  });
  accounts()
    .then((found) => {
      const chosen = made.input.value;
      made.input.replaceChildren(
        ...found.map((account) => h("option", { value: account.name }, `${account.name}: ${destination(account)}`)),
      );
      made.input.value = chosen;
    })
    .catch(() => undefined); // the present account stays to choose
  return made;
}
