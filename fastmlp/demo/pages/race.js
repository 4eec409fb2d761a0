// The race of the nets against the clock.

import { drawChart, rangeOf } from "./chart.js";
import { $, element, fillSizes, percent } from "./page.js";
import { ask, keepLooking } from "./server.js";

const NAMES = { numpy: "NumPy", keras: "Keras", "keras-tuned": "Keras, tuned", torch: "PyTorch", jax: "JAX",
  sklearn: "scikit-learn" };

let raced = "";

const lookAtRace = keepLooking(async () => {
  const state = await ask("api/race");
  if (!$("nets").children.length) setUpRace(state);
  const button = $("race").querySelector("button[type=submit]");
  button.disabled = Boolean(state.busy);
  $("stop").disabled = !state.running;
  const now = JSON.stringify(state);
  if (now !== raced) showRace(state);
  raced = now;
  return state.running ? 250 : 2000;
});

function nameOf(net) {
  return NAMES[net] || net;
}

function setUpRace(state) {
  $("nets").append(...state.nets.map((net) => element("label", {},
    element("input", { type: "checkbox", value: net, checked: "" }), nameOf(net))));
  fillSizes($("race-size"), state.hidden_sizes, 128);
  $("missing").hidden = !state.missing.length;
  $("missing").querySelector("ul").append(...state.missing.map((why) => element("li", {}, why)));
}

function showRace({ race, running, busy }) {
  const racers = race ? race.racers : [];
  const ours = racers.find((racer) => racer.net === "fastmlp");
  const clock = (racer) => racer.seconds[racer.seconds.length - 1] || 0;
  const best = (racer) => racer.accuracy[racer.accuracy.length - 1];
  const isNarrow = $("race-chart").clientWidth < 480;
  const lines = racers.map((racer) => ({
    name: isNarrow ? "" : nameOf(racer.net), // the marks in the table tell the curves apart where there is no room
    colour: `var(--${racer.net})`,
    points: racer.seconds.map((seconds, k) => [seconds, racer.accuracy[k]]),
  }));
  const told = racers.map((racer) => `${nameOf(racer.net)} ${clock(racer).toFixed(1)} s`).join(", ");
  drawChart($("race-chart"), lines, { height: 330, right: isNarrow ? 12 : 108,
    xMax: Math.max(1, ...racers.map(clock)), ...rangeOf(racers.flatMap((racer) => racer.accuracy)),
    xName: "seconds of training", yText: (value) => percent(value, 0), label: `Test accuracy over seconds: ${told || "no race yet"}` });
  $("results").replaceChildren(...racers.map((racer) => {
    const same = ours && racer !== ours && racer.seconds.length && ours.seconds[racer.seconds.length - 1];
    const cells = [racer.seconds.length, clock(racer).toFixed(2), same ? (clock(racer) / same).toFixed(2) : "",
      racer.accuracy.length ? percent(best(racer), 2) : "", statusOf(racer)];
    const chip = element("i", { class: "chip" });
    chip.style.background = `var(--${racer.net})`;
    return element("tr", {}, element("th", { scope: "row" }, chip, nameOf(racer.net)), ...cells.map((cell) => element("td", {}, `${cell}`)));
  }));
  const waits = busy === "training" ? "The net on the other page is being trained" : "";
  const over = race && race.disturbed ? "The race is over; other programs disturbed it" : "The race is over";
  const run = race && race.disturbed ? "They run; other programs disturb them" : "They run";
  const said = running ? run : race ? over : waits;
  if ($("race-said").textContent !== said) $("race-said").textContent = said;
}

function statusOf({ status, said }) {
  return said || { waiting: "waits for its turn", loading: "loads its library", training: "trains", done: "done" }[status];
}

$("race").addEventListener("submit", (event) => {
  event.preventDefault();
  const nets = [...document.querySelectorAll("#nets input:checked")].map((box) => box.value);
  drive("api/race", { nets, hidden_size: Number($("race-size").value) });
});
$("stop").addEventListener("click", () => drive("api/race/stop", {}));

async function drive(path, body) {
  try {
    await ask(path, body);
    lookAtRace();
  } catch (error) {
    $("race-said").textContent = error.message;
  }
}

export function drawRaceAgain() {
  raced = "";
  lookAtRace();
}
