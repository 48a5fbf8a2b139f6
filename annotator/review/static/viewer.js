// One photograph large: its words, its caption, and where the captioner looked.

import { byId, get, make } from "./api.js";
import { fetchDetails, onDetails, stateOf, store } from "./store.js";
import { failed } from "./toasts.js";

const SHOWN = 9; // suggestions that have a key

export class Viewer {
  constructor(actions) {
    this.actions = actions;
    this.dialog = byId("viewer");
    this.image = byId("viewer-image");
    this.heat = byId("viewer-heat");
    this.caption = byId("viewer-caption");
    this.id = null;
    byId("viewer-close").addEventListener("click", () => this.dialog.close());
    byId("viewer-previous").addEventListener("click", () => this.step(-1));
    byId("viewer-next").addEventListener("click", () => this.step(1));
    byId("viewer-add").addEventListener("submit", (event) => this.onAdd(event));
    byId("like").addEventListener("click", () => this.onLike());
    byId("look").addEventListener("click", () => this.onLook());
    byId("caption-save").addEventListener("click", () => this.saveCaption());
    byId("look").hidden = document.body.dataset.captions !== "yes";
    this.caption.addEventListener("input", () => this.captionChanged());
    this.dialog.addEventListener("close", () => this.onClose());
    this.dialog.addEventListener("keydown", (event) => this.onKey(event));
    onDetails((ids) => {
      if (this.id !== null && ids.includes(this.id)) this.fill();
    });
  }

  get isOpen() {
    return this.dialog.open;
  }

  open(id) {
    this.show(id);
    if (!this.dialog.open) this.dialog.showModal();
    byId("viewer-close").focus();
  }

  show(id) {
    this.saveCaption();
    this.id = id;
    this.heat.classList.remove("shown");
    byId("looked").hidden = true;
    byId("looked").replaceChildren();
    if (stateOf(id) === "") this.image.removeAttribute("src");
    else this.image.src = `large/${id}/${stateOf(id)}`;
    this.fill();
    fetchDetails([id]);
  }

  step(by) {
    const place = store.places.get(this.id) + by;
    if (place < 0 || place >= store.ids.length) return;
    store.focus = place;
    this.show(store.ids[place]);
  }

  fill() {
    const detail = store.details.get(this.id);
    if (!detail) return this.empty();
    byId("viewer-name").textContent = detail.name;
    this.image.alt = detail.caption || [...detail.accepted, detail.name].join(", ");
    byId("viewer-error").textContent = detail.error;
    byId("viewer-error").hidden = !detail.error;
    const focused = document.activeElement?.dataset?.key;
    byId("viewer-accepted").replaceChildren(
      ...detail.accepted.map((word) => this.chip(word, "accepted", `Forget ${word}`)),
    );
    byId("viewer-rejected").replaceChildren(
      ...detail.rejected.map((word) => this.chip(word, "rejected", `Forget that ${word} was rejected`)),
    );
    byId("rejected-part").hidden = !detail.rejected.length;
    byId("viewer-suggested").replaceChildren(
      ...detail.suggested.map(([word, score], index) => this.suggestion(word, score, index)),
    );
    if (!detail.suggested.length)
      byId("viewer-suggested").append(make("li", { text: detail.encoded ? "Nothing" : "Not read yet" }));
    if (focused) this.dialog.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    if (document.activeElement !== this.caption) {
      this.caption.value = detail.caption;
      byId("caption-save").hidden = true;
    }
    const by = { person: "by you", machine: "by the machine" }[detail.caption_by] || "";
    byId("caption-by").textContent = by;
  }

  // Until the words of this photograph are there, those of another are not.
  empty() {
    for (const part of ["name", "accepted", "rejected", "suggested"])
      byId(`viewer-${part}`).replaceChildren();
    byId("viewer-error").hidden = true;
    this.caption.value = "";
  }

  chip(word, kind, label) {
    return make(
      "li",
      {},
      make(
        "button",
        {
          type: "button",
          class: `chip ${kind}`,
          "aria-label": label,
          title: label,
          onclick: () => this.actions.judge([this.id], word, null),
        },
        make("span", { text: word }),
        make("span", { class: "x", text: "×", "aria-hidden": "true" }),
      ),
    );
  }

  suggestion(word, score, index) {
    const key = index < SHOWN ? String(index + 1) : "";
    const button = (accepted, text, name) =>
      make("button", {
        type: "button",
        class: accepted ? "yes" : "no",
        text,
        title: `${name} (${accepted ? "" : "Shift "}${key})`,
        "aria-label": `${name} ${word}`,
        onclick: () => this.actions.judge([this.id], word, accepted),
      });
    // As like the word as the word's own images are on average: half of the bar.
    const { typical, margin } = document.body.dataset;
    const like = Math.min(1, Math.max(0, score / typical + Number(margin)) / 2);
    return make(
      "li",
      {},
      make("span", { class: "key", text: key, "aria-hidden": "true" }),
      make("span", { class: "name", text: word }),
      make("meter", { min: 0, max: 1, value: like.toFixed(3), "aria-label": `How like ${word}`, title: `score ${score}` }),
      button(true, "✓", "Accept"),
      button(false, "✕", "Reject"),
    );
  }

  onAdd(event) {
    event.preventDefault();
    const field = byId("viewer-word");
    const word = field.value.trim();
    field.value = "";
    if (word) this.actions.judge([this.id], word, true);
  }

  captionChanged() {
    const detail = store.details.get(this.id);
    byId("caption-save").hidden = !detail || this.caption.value.trim() === detail.caption;
  }

  saveCaption() {
    if (this.id === null || byId("caption-save").hidden) return;
    byId("caption-save").hidden = true;
    this.actions.caption(this.id, this.caption.value);
  }

  onLike() {
    const id = this.id;
    this.dialog.close();
    this.actions.like(id);
  }

  async onLook() {
    const id = this.id;
    const button = byId("look");
    button.disabled = true;
    try {
      const { words, maps } = await get(`api/attention/${id}`);
      if (id !== this.id) return;
      const box = byId("looked");
      const draw = (index) => () => this.drawHeat(maps[index]);
      box.replaceChildren(
        ...words.map((word, index) =>
          make("button", { type: "button", class: "chip", text: word, onclick: draw(index), onfocus: draw(index), onmouseenter: draw(index) }),
        ),
      );
      box.hidden = false;
      if (maps.length) this.drawHeat(maps[0]);
    } catch (error) {
      failed(error);
    } finally {
      button.disabled = false;
    }
  }

  // Dark where the captioner did not look; the map covers the whole photograph.
  drawHeat(map) {
    const side = map.length;
    const small = new OffscreenCanvas(side, side);
    const context = small.getContext("2d");
    const pixels = context.createImageData(side, side);
    map.flat().forEach((value, index) => (pixels.data[4 * index + 3] = 205 * (1 - value)));
    context.putImageData(pixels, 0, 0);
    const stage = this.image.getBoundingClientRect();
    const scale = Math.min(stage.width / this.image.naturalWidth, stage.height / this.image.naturalHeight);
    const width = this.image.naturalWidth * scale;
    const height = this.image.naturalHeight * scale;
    this.heat.width = Math.round(width);
    this.heat.height = Math.round(height);
    Object.assign(this.heat.style, {
      left: `${(stage.width - width) / 2}px`,
      top: `${(stage.height - height) / 2}px`,
      width: `${width}px`,
      height: `${height}px`,
    });
    this.heat.getContext("2d").drawImage(small, 0, 0, this.heat.width, this.heat.height);
    this.heat.classList.add("shown");
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, textarea")) {
      if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        byId("viewer-close").focus();
      }
      return;
    }
    const digit = /^Digit([1-9])$/.exec(event.code);
    if (digit) {
      const suggested = store.details.get(this.id)?.suggested[digit[1] - 1];
      if (suggested) this.actions.judge([this.id], suggested[0], !event.shiftKey);
      event.preventDefault();
      return;
    }
    const keys = {
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      n: () => byId("viewer-word").focus(),
      c: () => this.caption.focus(),
      l: () => this.onLike(),
      z: () => this.actions.undo(),
    };
    if (event.key in keys) {
      event.preventDefault();
      keys[event.key]();
    }
  }

  onClose() {
    this.saveCaption();
    const id = this.id;
    this.id = null;
    this.image.removeAttribute("src");
    this.actions.closed(id);
  }
}
