// What the net sees in the drawing: its picture, probabilities as bars, and the units that speak up.

import { $, colour, element, percent } from "./page.js";
import { Refused, ask } from "./server.js";
import { drawing, isEmpty, sheet } from "./sheet.js";

let classes = [];
let isLooking = false;
let isStale = false;
let speaking;

// Say what the net's classes are called, before it is asked.
export function nameClasses(names) {
  classes = names;
}

// Have the drawing looked at; while an answer is awaited, only the latest drawing waits.
export async function look() {
  if (isLooking) {
    isStale = true;
    return;
  }
  isLooking = true;
  $("answer").dataset.settled = "no";
  do {
    isStale = false;
    if (isEmpty()) {
      showNothing("");
      continue;
    }
    try {
      show(await ask("api/look", drawing()));
    } catch (error) {
      if (error instanceof Refused) showNothing(error.message);
    }
  } while (isStale);
  isLooking = false;
  $("answer").dataset.settled = "yes";
}

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function show(seen) {
  const picture = bytes(seen.picture);
  paintPixels($("picture"), (k) => [0, 0, 0, picture[k]]);
  const best = seen.probabilities.indexOf(Math.max(...seen.probabilities));
  $("answer").textContent = classes[best];
  $("answer").classList.toggle("long", classes[best].length > 2);
  showBars(seen.probabilities, best);
  const sure = `${percent(seen.probabilities[best])} sure`;
  const cleaned = seen.cleaned.length ? ` (${seen.cleaned.join(", ")})` : "";
  say(`${sure}${cleaned}`, `${classes[best]}, ${sure}${cleaned}`);
  $("picture").setAttribute("aria-label", "The drawing as the net sees it, in 28 by 28 pixels");
  showUnits(seen.units, picture);
}

function showNothing(why) {
  $("picture").getContext("2d").clearRect(0, 0, 28, 28);
  $("picture").setAttribute("aria-label", "The drawing as the net sees it, in 28 by 28 pixels: empty");
  $("answer").textContent = "?";
  $("answer").classList.remove("long");
  showBars(classes.map(() => 0), -1);
  say(why, why);
  $("units").replaceChildren();
}

// What is shown at once is read aloud only when the pen rests.
function say(shown, spoken) {
  const verdict = $("verdict");
  verdict.setAttribute("aria-live", "off");
  verdict.textContent = shown;
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    verdict.setAttribute("aria-live", "polite");
    verdict.replaceChildren(element("span", { class: "spoken" }, spoken), element("span", { "aria-hidden": "true" }, shown));
  }, 700);
}

function showBars(probabilities, best) {
  const list = $("bars");
  if (list.children.length !== classes.length) {
    list.replaceChildren(...classes.map((name) =>
      element("li", {}, element("span", {}, name), element("div", { class: "bar" }, element("i")), element("span"))));
  }
  probabilities.forEach((p, k) => {
    const [name, bar, number] = list.children[k].children;
    name.textContent = classes[k];
    bar.firstChild.style.width = `${100 * p}%`;
    number.textContent = percent(p);
    list.children[k].classList.toggle("first", k === best);
  });
}

function showUnits(units, picture) {
  const [plus, minus] = ["plus", "minus"].map((name) => parts(colour(name)));
  $("units").replaceChildren(...units.map((unit) => {
    const canvas = element("canvas", { class: "pixels", width: 28, height: 28, role: "img",
      "aria-label": `Weights of unit ${unit.unit}` });
    const weights = bytes(unit.weights);
    paintPixels(canvas, (k) => {
      const weight = (weights[k] - 128) / 127;
      const strength = 0.3 + 0.7 * picture[k] / 255;
      return [...(weight > 0 ? plus : minus), 255 * strength * Math.abs(weight)];
    });
    const about = element("p", {}, element("b", {}, `for ${unit.for}`), `, against ${unit.against}`, element("br"),
      `activity ${unit.activity.toFixed(1)}`);
    return element("li", {}, canvas, about);
  }));
}

function paintPixels(canvas, colour) {
  const image = new ImageData(28, 28);
  for (let k = 0; k < 784; k++) image.data.set(colour(k), 4 * k);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// Red, green and blue of a colour as the palette writes it, in hexadecimal.
function parts(hex) {
  return [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
}

sheet.addEventListener("drawn", look);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look); // which changes the colours
