// What every part of the page uses: its elements, its colours, and how numbers are written.

export const $ = (id) => document.getElementById(id);

// Make an element of HTML.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Make an element of SVG.
export function svg(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "style") made.style.cssText = value; // the attribute itself is forbidden by the page's policy
    else made.setAttribute(key, value);
  }
  if (text !== undefined) made.textContent = text;
  return made;
}

// The value of one of the palette's colours, as it is now, light or dark.
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)}\u00a0%`; // which does not break
}

// Offer hidden sizes to choose from, once.
export function fillSizes(select, sizes, chosen) {
  if (select.children.length) return;
  select.append(...sizes.map((size) => element("option", size === chosen ? { selected: "" } : {}, `${size}`)));
}
