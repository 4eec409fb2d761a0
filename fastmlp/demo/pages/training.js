// The training of the net, watched live.

import { drawChart, rangeOf } from "./chart.js";
import { $, fillSizes, percent } from "./page.js";
import { look, nameClasses } from "./seen.js";
import { ask, keepLooking } from "./server.js";

export let version = -1; // of the net that is shown
let drawn = "";

const lookAtNet = keepLooking(async () => {
  const state = await ask("api/state");
  nameClasses(state.classes);
  $("net").textContent = state.name ? `${state.name}, ${state.hidden_size} hidden units` : `${state.hidden_size} hidden units`;
  showPhase(state);
  const now = JSON.stringify([state.history, state.phase]);
  if (now !== drawn) showTraining(state);
  drawn = now;
  if (state.version !== version) {
    version = state.version;
    look();
  }
  return state.phase === "ready" ? 2000 : 150;
});

function showPhase(state) {
  const { history } = state;
  const done = history.loss ? history.loss.length : 0;
  const digits = state.dataset === "synthetic" ? "60,000 drawn digits" : "the 60,000 digits of MNIST";
  const measured = done ? history.val_accuracy[done - 1] : null;
  const accuracy = measured === null ? "" : `${percent(measured)} of the test digits are right`;
  const seconds = done ? history.seconds.reduce((a, b) => a + b).toFixed(1) : "";
  const before = ["This net was trained before", done && ` in ${done} epochs`, accuracy && `: ${accuracy}`, "."];
  const told = {
    loading: "Reading the digits; where there is no MNIST, they are drawn, once for this machine …",
    preparing: "About to begin; the first time on a machine, this takes some ten seconds of compiling …",
    training: `Epoch ${done} of ${state.epochs} through ${digits}: ${accuracy}`,
    ready: state.can_train ? `Trained in ${seconds} s by ${digits}: ${accuracy}.` : before.filter(Boolean).join(""),
  }[state.phase];
  const phase = $("phase");
  phase.setAttribute("aria-live", state.phase === "training" ? "off" : "polite"); // not every epoch is read aloud
  if (phase.textContent !== told) phase.textContent = told;
  $("train").hidden = !state.can_train;
  fillSizes($("train-size"), state.hidden_sizes, state.hidden_size);
  $("train").querySelector("button").disabled = Boolean(state.busy);
}

function showTraining({ history, epochs }) {
  for (const figure of document.querySelectorAll(".training figure")) figure.hidden = !epochs;
  if (!epochs) return;
  const points = (name) => (history[name] || []).map((value, k) => [k + 1, value]).filter((point) => point[1] !== null);
  const shared = { height: 116, right: 54, xMax: epochs, xName: "epochs" };
  const lines = (train, test) => [
    { name: "train", colour: "var(--train)", points: points(train) },
    { name: "test", colour: "var(--test)", points: points(test), dash: "6 3" },
  ];
  const of = (name, text) => {
    const measured = points(name);
    return measured.length ? `, at last ${text(measured[measured.length - 1][1])} on the test digits` : "";
  };
  const accuracies = [...points("accuracy"), ...points("val_accuracy")].map((point) => point[1]);
  drawChart($("accuracy-chart"), lines("accuracy", "val_accuracy"), { ...shared, ...rangeOf(accuracies),
    yText: (value) => percent(value, 0), label: `Accuracy after each epoch${of("val_accuracy", percent)}` });
  const most = Math.ceil(10 * Math.max(0.3, ...(history.loss || []))) / 10;
  drawChart($("loss-chart"), lines("loss", "val_loss"), { ...shared, yMin: 0, yMax: most,
    yText: (value) => value.toFixed(1), label: `Loss after each epoch${of("val_loss", (loss) => loss.toFixed(3))}` });
}

$("train").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await ask("api/train", { hidden_size: Number($("train-size").value) });
    lookAtNet();
  } catch (error) {
    $("phase").textContent = error.message;
  }
});

// Charts are as wide as there is room, and there is none while they are hidden.
export function drawTrainingAgain() {
  drawn = "";
  lookAtNet();
}
