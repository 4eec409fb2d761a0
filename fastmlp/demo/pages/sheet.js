// The sheet of paper, which is drawn on with a mouse, a finger, a pen or the keyboard. After each stroke, and when it
// is cleared, it sends the event "drawn".

import { $, colour, element } from "./page.js";

const SENT = 140; // pixels of a drawing's side, as it is sent
const PEN = 20; // of the sheet's 280 pixels
const STEP = 8; // of the sheet's pixels, for the arrow keys

export const sheet = $("sheet");
const pen = sheet.getContext("2d", { willReadFrequently: true });
const small = element("canvas", { width: SENT, height: SENT }).getContext("2d", { willReadFrequently: true });
export const cursor = { x: 140, y: 140, down: false, shown: false };
const ink = element("canvas", { width: 280, height: 280 }); // the sheet without the cursor
const inkPen = ink.getContext("2d");
let empty = true;

Object.assign(inkPen, { lineWidth: PEN, lineCap: "round", lineJoin: "round" });

function paint() {
  pen.clearRect(0, 0, 280, 280);
  pen.drawImage(ink, 0, 0);
  if (!cursor.shown) return;
  pen.beginPath();
  pen.arc(cursor.x, cursor.y, PEN / 2 + 3, 0, 7);
  pen.lineWidth = 3;
  pen.strokeStyle = colour(cursor.down ? "test" : "train");
  pen.stroke();
}

function line(from, to) {
  inkPen.beginPath();
  inkPen.moveTo(from.x, from.y);
  inkPen.lineTo(to.x, to.y + 0.01); // a line without length would not be drawn, not even as a dot
  inkPen.stroke();
  empty = false;
  $("invitation").hidden = true;
  paint();
  sheet.dispatchEvent(new Event("drawn"));
}

function clear() {
  inkPen.clearRect(0, 0, 280, 280);
  empty = true;
  setDown(false);
  $("invitation").hidden = false;
  paint();
  sheet.dispatchEvent(new Event("drawn"));
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

export function isEmpty() {
  return empty;
}

// The ink of each pixel, 0 to 255.
export function drawing() {
  small.clearRect(0, 0, SENT, SENT);
  small.drawImage(ink, 0, 0, SENT, SENT);
  const pixels = small.getImageData(0, 0, SENT, SENT).data;
  return Uint8Array.from({ length: SENT * SENT }, (_, k) => pixels[4 * k + 3]);
}
