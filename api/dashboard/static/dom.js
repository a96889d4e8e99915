// Builds and changes the page. Everything goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element. Properties: `class`; `on` + event name with a listener; `value`; anything else is an attribute.
 * null, undefined and false leave a property or a child out.
 */
export function h(name, properties = {}, ...children) {
  return built(document.createElement(name), properties, children);
}

/** Make an SVG element, as `h` does for HTML. */
export function svg(name, properties = {}, ...children) {
  return built(document.createElementNS(SVG, name), properties, children);
}

function built(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.setAttribute("class", value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

/** Append children: nodes, texts, or lists of them. */
export function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

/** Replace all children. */
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

/** Set a text, but only if it differs, so that selections and screen readers are not disturbed. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Announce to screen readers what sighted users see. */
export function announce(text) {
  write(document.getElementById("announcer"), text);
}

let lastId = 0;

/** A unique id, to connect labels and hints with fields. */
export function freshId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}
