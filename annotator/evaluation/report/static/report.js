"use strict";

// Where the captioner looked: dark where it did not.
for (const card of document.querySelectorAll("[data-maps]")) {
  const canvas = card.querySelector("canvas");
  const words = [...card.querySelectorAll(".said button")];
  const side = Number(card.dataset.side);
  const shades = Uint8Array.from(atob(card.dataset.maps), (c) => c.charCodeAt(0));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  canvas.width = canvas.height = side;
  let kept = null;

  const show = (number) => {
    words.forEach((word, i) => word.classList.toggle("looked", i === number));
    canvas.hidden = number === null;
    if (number === null) return;
    const image = context.createImageData(side, side);
    for (let i = 0; i < side * side; i++) {
      image.data[4 * i + 3] = 0.82 * (255 - shades[number * side * side + i]);
    }
    context.putImageData(image, 0, 0);
  };

  const go = (number) => {
    words.forEach((word, i) => { word.tabIndex = i === number ? 0 : -1; });
    words[number].focus();
  };

  words.forEach((word, i) => {
    word.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "mouse") show(i);
    });
    word.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") show(kept);
    });
    word.addEventListener("focus", () => { kept = i; show(i); });
    word.addEventListener("blur", () => { kept = null; show(null); });
    word.addEventListener("keydown", (event) => {
      const last = words.length - 1;
      const next = {
        ArrowRight: Math.min(i + 1, last), ArrowLeft: Math.max(i - 1, 0),
        ArrowDown: Math.min(i + 1, last), ArrowUp: Math.max(i - 1, 0),
        Home: 0, End: last,
      }[event.key];
      if (event.key === "Escape") word.blur();
      if (next === undefined) return;
      event.preventDefault();
      go(next);
    });
    // A tap does not focus a button in every browser.
    word.addEventListener("click", () => go(i));
  });
}

// Tables that sort; the first rows of a long one.
const FIRST = 25;
for (const box of document.querySelectorAll(".sortable")) {
  const body = box.querySelector("tbody");
  const heads = [...box.querySelectorAll("thead th")];
  const find = box.querySelector(".find");
  const more = box.querySelector(".more");
  const input = find.querySelector("input");
  const rows = [...body.rows];
  let all = rows.length <= FIRST;

  const update = () => {
    const text = input.value.trim().toLowerCase();
    let shown = 0;
    for (const row of body.rows) {
      const fits = row.cells[0].textContent.toLowerCase().includes(text);
      row.hidden = !fits || (!all && !text && shown >= FIRST);
      shown += fits;
    }
    more.hidden = all || Boolean(text);
  };

  const value = (row, column) => {
    const text = row.cells[column].textContent.replaceAll(",", "");
    if (column === 0) return text;
    return text === "–" ? null : Number(text);
  };

  const sort = (column) => {
    const before = heads[column].getAttribute("aria-sort");
    // Words begin with the first letter, numbers with the greatest.
    const first = column === 0 ? "ascending" : "descending";
    const other = column === 0 ? "descending" : "ascending";
    const order = before === first ? other : first;
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[column].setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const keyed = rows.map((row, i) => [value(row, column), i, row]);
    keyed.sort(([a, i], [b, j]) => {
      if (a === null || b === null) return (a === null) - (b === null) || i - j;
      const difference = column === 0 ? a.localeCompare(b, "en") : a - b;
      return sign * difference || i - j;
    });
    body.append(...keyed.map(([, , row]) => row));
    update();
  };

  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => sort(column));
  });
  input.addEventListener("input", update);
  more.textContent = `Show all ${rows.length.toLocaleString("en")} words`;
  more.addEventListener("click", () => {
    all = true;
    update();
    rows[0].closest("table").querySelector("button").focus();
  });
  find.hidden = rows.length <= FIRST;
  update();
}
