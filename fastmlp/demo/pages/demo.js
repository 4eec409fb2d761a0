"use strict";

const $ = (id) => document.getElementById(id);
const SENT = 140; // pixels of a drawing's side, as it is sent
const PEN = 20; // of the sheet's 280 pixels
const STEP = 8; // of the sheet's pixels, for the arrow keys
const NAMES = { numpy: "NumPy", keras: "Keras", "keras-tuned": "Keras, tuned", torch: "PyTorch", jax: "JAX",
  sklearn: "scikit-learn" };

// --- Asking the server ---------------------------------------------------------------------------------------------

async function ask(path, body) {
  const isDrawing = body instanceof Uint8Array;
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": isDrawing ? "application/octet-stream" : "application/json" },
    body: isDrawing ? body : JSON.stringify(body),
  };
  const reply = await fetch(path, options);
  const answer = await reply.json();
  if (!reply.ok) throw new Refused(answer.error);
  return answer;
}

class Refused extends Error {}

// Call `look` again and again; it returns after how many milliseconds.
function keepLooking(look) {
  let timer;
  const next = async () => {
    clearTimeout(timer);
    let wait = 2000;
    try {
      wait = await look();
      tell("");
    } catch (error) {
      tell(error instanceof Refused ? error.message : "The demo has ended. Start it again in its terminal.");
    }
    clearTimeout(timer);
    timer = setTimeout(next, wait);
  };
  next();
  return next;
}

function tell(trouble) {
  if ($("trouble").textContent !== trouble) $("trouble").textContent = trouble;
  $("trouble").hidden = !trouble;
}

function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)}\u00a0%`; // which does not break
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// --- The sheet of paper ------------------------------------------------------------------------------------------------

const sheet = $("sheet");
const pen = sheet.getContext("2d", { willReadFrequently: true });
const small = element("canvas", { width: SENT, height: SENT }).getContext("2d", { willReadFrequently: true });
const cursor = { x: 140, y: 140, down: false, shown: false };
const ink = element("canvas", { width: 280, height: 280 }); // the sheet without the cursor
const inkPen = ink.getContext("2d");
let isEmpty = true;

Object.assign(inkPen, { lineWidth: PEN, lineCap: "round", lineJoin: "round" });

function paint() {
  pen.clearRect(0, 0, 280, 280);
  pen.drawImage(ink, 0, 0);
  if (!cursor.shown) return;
  pen.beginPath();
  pen.arc(cursor.x, cursor.y, PEN / 2 + 3, 0, 7);
  pen.lineWidth = 3;
  pen.strokeStyle = cursor.down ? "#d55e00" : "#0072b2";
  pen.stroke();
}

function line(from, to) {
  inkPen.beginPath();
  inkPen.moveTo(from.x, from.y);
  inkPen.lineTo(to.x, to.y + 0.01); // a line without length would not be drawn, not even as a dot
  inkPen.stroke();
  isEmpty = false;
  $("invitation").hidden = true;
  paint();
  changed();
}

function clear() {
  inkPen.clearRect(0, 0, 280, 280);
  isEmpty = true;
  setDown(false);
  $("invitation").hidden = false;
  paint();
  changed();
}

// Pointers: mouse, finger and pen. One at a time.
let pointer = null;
let last = null;

function placeOf(event) {
  const box = sheet.getBoundingClientRect();
  return { x: (event.clientX - box.left) * 280 / box.width, y: (event.clientY - box.top) * 280 / box.height };
}

sheet.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return;
  pointer = event.pointerId;
  sheet.setPointerCapture(pointer);
  cursor.shown = false;
  last = placeOf(event);
  line(last, last);
});
sheet.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer) return;
  const between = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const each of between.length ? between : [event]) {
    const place = placeOf(each);
    line(last, place);
    last = place;
  }
});
for (const name of ["pointerup", "pointercancel"]) {
  sheet.addEventListener(name, (event) => {
    if (event.pointerId === pointer) pointer = null;
  });
}

// The keyboard: arrows, of which two at a time move slantwise, space and Delete.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const held = new Set();

function setDown(down) {
  cursor.down = down;
  $("pen").textContent = cursor.shown ? (down ? "The pen is down" : "The pen is up") : "";
}

sheet.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key in ARROWS) {
    held.add(event.key);
    move();
  } else if (event.key === " ") {
    if (!event.repeat) {
      cursor.shown = true;
      setDown(!cursor.down);
      if (cursor.down) line(cursor, cursor);
      else paint();
    }
  } else if (event.key === "Delete" || event.key === "Backspace") {
    clear();
  } else {
    return;
  }
  event.preventDefault();
});
sheet.addEventListener("keyup", (event) => held.delete(event.key));
sheet.addEventListener("focus", () => {
  cursor.shown = sheet.matches(":focus-visible");
  paint();
});
sheet.addEventListener("blur", () => {
  held.clear();
  setDown(false);
  cursor.shown = false;
  $("pen").textContent = "";
  paint();
});

function move() {
  const from = { x: cursor.x, y: cursor.y };
  for (const key of held) {
    cursor.x = Math.min(270, Math.max(10, cursor.x + STEP * ARROWS[key][0]));
    cursor.y = Math.min(270, Math.max(10, cursor.y + STEP * ARROWS[key][1]));
  }
  cursor.shown = true;
  if (cursor.down) line(from, cursor);
  else paint();
}

$("clear").addEventListener("click", clear);

// --- What the net sees -------------------------------------------------------------------------------------------------

let classes = [];
let isLooking = false;
let isStale = false;
let speaking;

// Have the drawing looked at; while an answer is awaited, only the latest drawing waits.
async function changed() {
  if (isLooking) {
    isStale = true;
    return;
  }
  isLooking = true;
  $("answer").dataset.settled = "no";
  do {
    isStale = false;
    if (isEmpty) {
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

function drawing() {
  small.clearRect(0, 0, SENT, SENT);
  small.drawImage(ink, 0, 0, SENT, SENT);
  const pixels = small.getImageData(0, 0, SENT, SENT).data;
  return Uint8Array.from({ length: SENT * SENT }, (_, k) => pixels[4 * k + 3]);
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
  $("units").replaceChildren(...units.map((unit) => {
    const canvas = element("canvas", { class: "pixels", width: 28, height: 28, role: "img",
      "aria-label": `Weights of unit ${unit.unit}` });
    const weights = bytes(unit.weights);
    const [plus, minus] = isDark.matches ? [[255, 110, 100], [90, 165, 255]] : [[194, 39, 45], [31, 102, 176]];
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

const isDark = matchMedia("(prefers-color-scheme: dark)");
isDark.addEventListener("change", changed);

// --- Curves ------------------------------------------------------------------------------------------------------------

function svg(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "style") made.style.cssText = value; // the attribute itself is forbidden by the page's policy
    else made.setAttribute(key, value);
  }
  if (text !== undefined) made.textContent = text;
  return made;
}

// Draw lines { name, colour, points: [[x, y], ...], dash } into `place`, as wide as it is; the names stand at their ends.
function drawChart(place, lines, { height, right, xMax, yMin, yMax, xName, yText, label }) {
  const width = Math.max(240, place.clientWidth);
  const left = 48, top = 8, bottom = 34;
  const x = (value) => left + (width - left - right) * value / xMax;
  const y = (value) => height - bottom - (height - top - bottom) * Math.min(1, Math.max(0, (value - yMin) / (yMax - yMin)));
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (const value of ticks(yMin, yMax, height < 200 ? 3 : 5)) {
    chart.append(svg("path", { class: "axis", d: `M${left} ${y(value)}H${width - right}` }));
    chart.append(svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, yText(value)));
  }
  for (const value of ticks(0, xMax, width / 90)) {
    chart.append(svg("text", { x: x(value), y: height - bottom + 16, "text-anchor": "middle" }, `${+value.toFixed(4)}`));
  }
  chart.append(svg("text", { x: (left + width - right) / 2, y: height - 2, "text-anchor": "middle" }, xName));
  const names = [];
  for (const { name, colour, points, dash } of lines) {
    if (!points.length) continue;
    const path = points.map(([px, py]) => `${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join("L");
    chart.append(svg("path", { class: "curve", d: `M${path}`, style: `stroke: ${colour}`, "stroke-dasharray": dash || "none" }));
    for (const [px, py] of points.length > 40 ? points.slice(-1) : points) {
      chart.append(svg("circle", { cx: x(px), cy: y(py), r: 2.5, style: `fill: ${colour}` }));
    }
    const [px, py] = points[points.length - 1];
    names.push({ name, colour, x: x(px) + 7, y: y(py) + 4 });
  }
  names.sort((a, b) => a.y - b.y);
  names.forEach((each, k) => {
    for (const above of names.slice(0, k)) { // names that would touch are pushed apart
      if (Math.abs(each.x - above.x) < right && each.y < above.y + 14) each.y = above.y + 14;
    }
    chart.append(svg("text", { class: "name", x: each.x, y: each.y, style: `fill: ${each.colour}` }, each.name));
  });
  place.replaceChildren(chart);
}

// Accuracies lie close to 1: the axis begins at the twentieth below the lowest.
function rangeOf(accuracies) {
  return { yMin: Math.floor(20 * Math.min(0.9, ...accuracies)) / 20, yMax: 1 };
}

function ticks(low, high, count) {
  const rough = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * unit).find((each) => each >= rough * 0.999);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + 1e-9; value += step) found.push(value);
  return found;
}

// --- The training ------------------------------------------------------------------------------------------------------

let version = -1;
let drawn = "";

const lookAtNet = keepLooking(async () => {
  const state = await ask("api/state");
  classes = state.classes;
  $("net").textContent = state.name ? `${state.name}, ${state.hidden_size} hidden units` : `${state.hidden_size} hidden units`;
  showPhase(state);
  const now = JSON.stringify([state.history, state.phase]);
  if (now !== drawn) showTraining(state);
  drawn = now;
  if (state.version !== version) {
    version = state.version;
    changed();
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
  const shared = { height: 116, right: 40, xMax: epochs, xName: "epochs" };
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

function fillSizes(select, sizes, chosen) {
  if (select.children.length) return;
  select.append(...sizes.map((size) => element("option", size === chosen ? { selected: "" } : {}, `${size}`)));
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

// --- The race ----------------------------------------------------------------------------------------------------------

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
  const lines = racers.map((racer) => ({
    name: nameOf(racer.net),
    colour: `var(--${racer.net})`,
    points: racer.seconds.map((seconds, k) => [seconds, racer.accuracy[k]]),
  }));
  const told = racers.map((racer) => `${nameOf(racer.net)} ${clock(racer).toFixed(1)} s`).join(", ");
  drawChart($("race-chart"), lines, { height: 330, right: 96,
    xMax: Math.max(1, ...racers.map(clock)), ...rangeOf(racers.flatMap((racer) => racer.accuracy)),
    xName: "seconds of training", yText: (value) => percent(value, 0), label: `Test accuracy over seconds: ${told || "no race yet"}` });
  $("results").replaceChildren(...racers.map((racer) => {
    const same = ours && racer !== ours && racer.seconds.length && ours.seconds[racer.seconds.length - 1];
    const cells = [racer.seconds.length, clock(racer).toFixed(2), same ? (clock(racer) / same).toFixed(2) : "",
      racer.accuracy.length ? percent(best(racer), 2) : "", statusOf(racer)];
    const name = element("th", { scope: "row" }, nameOf(racer.net));
    name.style.color = `var(--${racer.net})`;
    return element("tr", {}, name, ...cells.map((cell) => element("td", {}, `${cell}`)));
  }));
  const waits = busy === "training" ? "The net on the other page is being trained" : "";
  const over = race && race.disturbed ? "The race is over; other programs disturbed it" : "The race is over";
  const said = running ? "They run" : race ? over : waits;
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

// --- The two views -----------------------------------------------------------------------------------------------------

function showView() {
  const compare = location.hash === "#compare";
  $("draw").hidden = compare;
  $("compare").hidden = !compare;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === (compare ? "#compare" : "#draw")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// Charts are as wide as there is room, and there is none while they are hidden.
function drawAgain() {
  drawn = raced = "";
  lookAtNet();
  lookAtRace();
}

addEventListener("hashchange", showView);
addEventListener("hashchange", drawAgain);
addEventListener("resize", drawAgain);
showView();
