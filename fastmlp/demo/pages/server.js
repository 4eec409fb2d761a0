// Asking the server, and what is said where it does not answer.

import { $ } from "./page.js";

// Ask the server: a GET without a body, else a POST of a drawing (bytes) or of JSON.
export async function ask(path, body) {
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

// The server understood, and says why it does not do it.
export class Refused extends Error {}

// Call `look` again and again; it returns after how many milliseconds.
export function keepLooking(look) {
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

