// Builds and changes the page. Everything that is shown goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. Properties: `class`; `on` + event name with a listener; `hidden`, `value` and the like where the element
 * has them; anything else is an attribute. null and false leave a property or a child out.
 */
export function h(name, properties = {}, ...children) {
  return built(document.createElement(name), properties, children);
}

/** The same for SVG. */
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

/** Append children: nodes, texts, lists of them. */
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

/** Set a text, touching the page only where it differs, so that selections and screen readers are left in peace. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Say something to screen readers that others see. */
export function announce(text) {
  write(document.getElementById("announcer"), text);
}

let lastId = 0;

/** An id that nothing else has, to tie labels and hints to fields. */
export function freshId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}
