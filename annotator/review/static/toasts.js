// Notes of what changed, which go after a while, but not while they are read.

import { byId, make } from "./api.js";

const SECONDS = 9;
const MOST = 3;

export function toast(text, { more = "", buttons = [], bad = false } = {}) {
  const box = byId("toasts");
  place();
  const close = () => note.remove();
  const note = make(
    "div",
    { class: bad ? "toast bad" : "toast" },
    make("p", { text }, more ? make("span", { class: "more", text: ` ${more}` }) : null),
    ...buttons.map(([name, action]) =>
      make("button", {
        type: "button",
        class: "quiet",
        text: name,
        onclick: () => {
          close();
          action();
        },
      }),
    ),
  );
  box.append(note);
  while (box.children.length > MOST) box.firstElementChild.remove();
  let timer = null;
  const start = () => (timer = setTimeout(close, SECONDS * 1000));
  for (const kind of ["mouseenter", "focusin"]) note.addEventListener(kind, () => clearTimeout(timer));
  for (const kind of ["mouseleave", "focusout"]) note.addEventListener(kind, start);
  start();
}

// Into the dialog that is open: all outside of it can neither be seen nor clicked.
function place() {
  const box = byId("toasts");
  const host = [...document.querySelectorAll("dialog[open]")].at(-1) || document.body;
  if (box.parentElement !== host) host.append(box);
}

addEventListener("close", place, true);

export const failed = (error) => toast(error.message, { bad: true });
