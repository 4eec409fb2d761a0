// The page: its two views. Each part is a module of its own; the browser loads them as they are.

import { $ } from "./page.js";
import { drawRaceAgain } from "./race.js";
import { drawTrainingAgain } from "./training.js";

function showView() {
  const compare = location.hash === "#compare";
  $("draw").hidden = compare;
  $("compare").hidden = !compare;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === (compare ? "#compare" : "#draw")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function drawAgain() {
  drawTrainingAgain();
  drawRaceAgain();
}

addEventListener("hashchange", showView);
addEventListener("hashchange", drawAgain);
addEventListener("resize", drawAgain);
showView();
