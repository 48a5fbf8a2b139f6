// The gallery: only the tiles near the screen exist, whatever the number of photographs.

import { byId, make } from "./api.js";
import { justify, visibleRows } from "./layout.js";
import { detailsOf, onDetails, store, stateOf, thumbnail, verdict } from "./store.js";

const AHEAD = 600; // pixels above and below the screen

export class Gallery {
  constructor(actions) {
    this.actions = actions;
    this.element = byId("gallery");
    this.tiles = new Map();
    this.layout = { rows: [], lefts: [], widths: [], height: 0 };
    this.frame = null;
    addEventListener("scroll", () => this.later(), { passive: true });
    new ResizeObserver(() => this.arrange()).observe(this.element);
    onDetails((ids) => ids.forEach((id) => this.fill(id)));
    this.element.addEventListener("keydown", (event) => this.onKey(event));
  }

  arrange() {
    const width = this.element.clientWidth;
    if (!width) return;
    const height = width < 600 ? 150 : width < 1100 ? 200 : 230;
    this.layout = justify(store.shapes, width, height, store.groups);
    this.element.style.height = `${this.layout.height}px`;
    this.clear();
    this.draw();
  }

  clear() {
    const focused = this.element.contains(document.activeElement);
    this.element.replaceChildren();
    this.tiles.clear();
    this.hadFocus = focused;
  }

  later() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const begin = this.element.getBoundingClientRect().top;
    const [from, to] = visibleRows(
      this.layout.rows,
      -begin - AHEAD,
      -begin + innerHeight + AHEAD,
    );
    const wanted = new Set();
    for (let index = from; index < to; index++) {
      const row = this.layout.rows[index];
      for (let place = row.first; place < row.end; place++) {
        wanted.add(store.ids[place]);
        this.place(place, row);
      }
    }
    for (const [id, tile] of this.tiles) {
      // A tile that has the focus stays: it would be lost with it.
      if (!wanted.has(id) && !tile.contains(document.activeElement)) {
        tile.remove();
        this.tiles.delete(id);
      }
    }
    if (this.hadFocus) {
      this.hadFocus = false;
      this.focus(store.focus);
    }
  }

  place(place, row) {
    const id = store.ids[place];
    if (this.tiles.has(id)) return;
    const tile = this.build(id, place);
    tile.style.left = `${this.layout.lefts[place]}px`;
    tile.style.top = `${row.top}px`;
    tile.style.width = `${this.layout.widths[place]}px`;
    tile.style.height = `${row.height}px`;
    this.tiles.set(id, tile);
    this.element.append(tile);
    this.fill(id);
  }

  build(id, place) {
    const broken = () => make("span", { class: "broken", text: "Cannot be shown" });
    const shown = stateOf(id) !== "";
    const image = shown ? make("img", { src: thumbnail(id), alt: "", decoding: "async" }) : broken();
    const open = make(
      "button",
      { type: "button", class: "open", "aria-label": "Photograph", onclick: (event) => this.onOpen(id, event) },
      image,
    );
    open.tabIndex = place === store.focus ? 0 : -1;
    open.addEventListener("focus", () => this.setFocus(place));
    image.addEventListener("error", () => image.replaceWith(broken()));
    const mark = make("button", {
      type: "button",
      class: "mark",
      tabindex: -1,
      "aria-pressed": "false",
      "aria-label": "Select",
      onclick: (event) => this.actions.select(id, event.shiftKey),
    });
    const tile = make(
      "div",
      { class: "tile", role: "listitem", "aria-setsize": store.ids.length, "aria-posinset": place + 1, "data-id": id },
      open,
      mark,
    );
    return tile;
  }

  fill(id) {
    const tile = this.tiles.get(id);
    if (!tile) return;
    const detail = detailsOf(id);
    const selected = store.selected.has(id);
    tile.classList.toggle("selected", selected);
    const mark = tile.querySelector(".mark");
    mark.setAttribute("aria-pressed", selected);
    const broken = tile.querySelector(".broken");
    if (broken && detail) broken.textContent = `${detail.name} cannot be shown`;
    tile.classList.toggle("gained", store.gained.has(id));
    if (!detail) return;
    const word = store.query.word;
    const said = word === null ? null : verdict(detail, word);
    tile.classList.toggle("rejected", said === false);
    tile.querySelector(".said")?.remove();
    tile.querySelector(".verdicts")?.remove();
    const suggested = detail.suggested.map(([each]) => each);
    const parts = detail.accepted.map((each) => make("b", { text: each }));
    parts.push(...suggested.map((each) => make("span", { class: "maybe", text: each })));
    const line = make("div", { class: "said", "aria-hidden": "true" });
    parts.forEach((part, index) => line.append(...(index ? [", "] : []), part));
    if (parts.length) tile.append(line);
    const words = [...detail.accepted, ...suggested.map((each) => `perhaps ${each}`)];
    const open = tile.querySelector(".open");
    open.setAttribute("aria-label", `${detail.name}. ${words.join(", ")}`);
    mark.setAttribute("aria-label", `Select ${detail.name}`);
    if (word !== null) tile.append(this.verdicts(id, detail, word, said));
  }

  verdicts(id, detail, word, said) {
    const button = (accepted, text, name) =>
      make("button", {
        type: "button",
        class: accepted ? "yes" : "no",
        text,
        tabindex: -1,
        "aria-pressed": String(said === accepted),
        "aria-label": `${name} ${word} for ${detail.name}`,
        onclick: () => this.actions.judge([id], word, said === accepted ? null : accepted),
      });
    return make("div", { class: "verdicts" }, button(true, "✓", "Accept"), button(false, "✕", "Reject"));
  }

  refresh() {
    for (const id of this.tiles.keys()) this.fill(id);
    document.body.classList.toggle("selecting", store.selected.size > 0);
  }

  onOpen(id, event) {
    this.setFocus(store.places.get(id));
    if (store.selected.size || event.ctrlKey || event.metaKey || event.shiftKey)
      this.actions.select(id, event.shiftKey);
    else this.actions.open(id);
  }

  setFocus(place) {
    const before = this.tiles.get(store.ids[store.focus]);
    if (before) before.querySelector(".open").tabIndex = -1;
    store.focus = place;
    const tile = this.tiles.get(store.ids[place]);
    if (tile) tile.querySelector(".open").tabIndex = 0;
  }

  focus(place) {
    place = Math.max(0, Math.min(store.ids.length - 1, place));
    const index = this.rowOf(place);
    const row = this.layout.rows[index];
    if (!row) return;
    const begin = this.element.getBoundingClientRect().top;
    const top = begin + row.top;
    if (top < 70 || top + row.height > innerHeight - 20)
      scrollBy(0, top - Math.max(70, (innerHeight - row.height) / 2));
    this.draw();
    this.place(place, row);
    this.setFocus(place);
    this.tiles.get(store.ids[place])?.querySelector(".open").focus({ preventScroll: true });
  }

  rowOf(place) {
    const rows = this.layout.rows;
    let low = 0;
    let high = rows.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].end <= place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The photograph above or below: the one whose middle is nearest.
  vertical(step) {
    const index = this.rowOf(store.focus) + step;
    const row = this.layout.rows[index];
    if (!row) return store.focus;
    const { lefts, widths } = this.layout;
    const middle = lefts[store.focus] + widths[store.focus] / 2;
    let best = row.first;
    for (let place = row.first; place < row.end; place++) {
      const distance = (other) => Math.abs(lefts[other] + widths[other] / 2 - middle);
      if (distance(place) < distance(best)) best = place;
    }
    return best;
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(innerHeight / 240));
    const targets = {
      ArrowRight: () => store.focus + 1,
      ArrowLeft: () => store.focus - 1,
      ArrowDown: () => this.vertical(1),
      ArrowUp: () => this.vertical(-1),
      PageDown: () => this.vertical(page),
      PageUp: () => this.vertical(-page),
      Home: () => 0,
      End: () => store.ids.length - 1,
    };
    if (!(event.key in targets)) return;
    event.preventDefault();
    const before = store.focus;
    this.focus(targets[event.key]());
    if (event.shiftKey && before !== store.focus) this.actions.select(store.ids[store.focus], true);
  }
}
