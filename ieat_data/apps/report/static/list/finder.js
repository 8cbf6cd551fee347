// Above a list: the search, the filters and ranges, the order, and what of it is in force.
"use strict";

(() => {
  const { el, count } = IEAT;
  const DELAY_MS = 150; // after a key, before the list is searched

  /** `kind`: of `IEAT.kinds`; `set(name, value)`: called with a filter that was chosen; `clear()`; `save(format)`. */
  class Finder {
    constructor(kind, list, { set, clear, save }) {
      Object.assign(this, { kind, list, set, as: IEAT.kinds[kind], ranges: new Map(), filters: {} });
      const id = (this.id = (x) => `${kind}-${x}`);
      this.search = el("input", { type: "search", id: id("q"), placeholder: "Search in everything", autocomplete: "off", spellcheck: "false", title: "Words, a speaker or an id; \"several words\" as they stand. Press / to come here." });
      this.search.addEventListener("input", () => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => set("q", this.search.value.trim()), DELAY_MS);
      });
      this.selects = this.as.facets.map((facet) => {
        const select = el("select", { id: id(facet.column), "aria-label": facet.label }, el("option", { value: "" }, facet.label));
        select.addEventListener("change", () => set(facet.column, select.value));
        return select;
      });
      this.numbers = el("div", { class: "ranges" });
      this.panel = el("div", { class: "panel", id: id("panel"), hidden: true }, el("div", { class: "fields" }, this.selects), this.numbers);
      this.toggle = el("button", { type: "button", class: "tool", "aria-expanded": "false", "aria-controls": id("panel"), onclick: () => this.open(this.panel.hidden) }, "Filters");
      this.order = el("select", { class: "tool", "aria-label": "Order", onchange: () => set("order", this.order.value) });
      this.chips = el("ul", { class: "chips", "aria-label": "Filters in force" });
      this.status = el("p", { class: "status", role: "status" });
      this.clear = el("button", { type: "button", class: "clear", onclick: clear }, "Clear filters");
      this.node = el(
        "div",
        { class: "finder" },
        el("label", { class: "visually-hidden", for: this.search.id }, `Search ${this.as.noun}`),
        this.search,
        el("div", { class: "tools" }, this.toggle, this.as.ranges.length ? this.order : null, this.menu(save)),
        this.panel,
        this.chips,
        el("div", { class: "found" }, this.status, this.clear),
      );
    }

    open(wanted) {
      this.panel.hidden = !wanted;
      this.toggle.setAttribute("aria-expanded", String(wanted));
      if (wanted) this.measure();
    }

    /** The ways in which the filtered list goes out. */
    menu(save) {
      const ways = [["jsonl", "JSONL", "whole rows, without clips"], ["csv", "CSV", "the columns of the list"]];
      if (this.kind === "samples") ways.push(["txt", "Ids", "a text file for ieat review --ids"]);
      const way = ([format, name, note]) => el("li", null, el("button", { type: "button", onclick: () => ((box.open = false), save(format)) }, el("strong", null, name), el("span", { class: "quiet" }, note)));
      const box = el("details", { class: "save" }, el("summary", { class: "tool" }, "Save"), el("ul", null, ways.map(way)));
      box.addEventListener("keydown", (e) => e.key === "Escape" && ((box.open = false), box.firstChild.focus()));
      document.addEventListener("click", (e) => box.contains(e.target) || (box.open = false));
      return box;
    }

    /** Make the controls of the numbers that some row has: only when they are looked at, and when rows were added. */
    measure() {
      if (this.panel.hidden || this.measured === this.list.loaded) return;
      this.measured = this.list.loaded;
      this.ranges.clear();
      for (const r of this.as.ranges) {
        if (!IEAT.ranges.known(this.list, r)) continue;
        this.ranges.set(r, IEAT.ranges.control(this.list, r, this.id(r.column), (text) => this.set(r.column, text)));
      }
      this.numbers.replaceChildren(...[...this.ranges.values()].map((c) => c.box));
      for (const [r, c] of this.ranges) c.show(this.filters[r.column]);
    }

    /** Show what is in force and what was found. */
    show(filters, order, found, tallies) {
      this.filters = filters;
      if (document.activeElement !== this.search) this.search.value = filters.q ?? "";
      this.as.facets.forEach((facet, k) => this.choices(this.selects[k], facet, tallies[k]));
      this.orders(order);
      this.measure();
      for (const [r, c] of this.ranges) c.show(filters[r.column]);
      this.chips.replaceChildren(...Object.entries(filters).filter(([k]) => k !== "q").map(([k, v]) => this.chip(k, v)));
      this.clear.hidden = !Object.keys(filters).length;
      const { list } = this;
      const searched = filters.q ? Math.min(list.loaded, list.texts.rows) : list.loaded;
      const coming = searched < list.rows ? `, ${count(searched)} of ${count(list.rows)} searched` : "";
      const noun = found === 1 ? this.as.noun.slice(0, -1) : this.as.noun;
      this.status.textContent = `${count(found)} ${noun}${coming}`;
      return !coming;
    }

    chip(column, value) {
      const facet = this.as.facets.find((f) => f.column === column);
      const r = this.as.ranges.find((x) => x.column === column);
      const shown = facet ? facet.name(column === "turns" || column === "audio" ? Number(value) : value) : IEAT.ranges.said(r, value);
      return el("li", null, el("button", { type: "button", class: "chip", "aria-label": `Remove the filter ${shown}`, onclick: () => this.set(column, "") }, el("span", { class: "corpus" }, shown), el("span", { "aria-hidden": "true" }, "×")));
    }

    choices(select, facet, tally) {
      const wanted = this.filters[facet.column] ?? "";
      const choices = tally.flatMap((n, code) => (n ? [[facet.value(this.list, code), n]] : []));
      if (wanted && !choices.some(([v]) => String(v) === wanted)) choices.push([wanted, 0]);
      choices.sort(([a], [b]) => (typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : 1));
      const options = choices.map(([v, n]) => el("option", { value: v }, `${facet.name(v)} (${count(n)})`));
      select.replaceChildren(el("option", { value: "" }, facet.label), ...options);
      select.value = wanted;
      select.classList.toggle("set", Boolean(wanted));
    }

    orders(order) {
      const known = this.as.ranges.filter((r) => IEAT.ranges.known(this.list, r));
      const key = known.map((r) => r.column).join();
      if (this.ordered !== key) {
        this.ordered = key;
        const options = known.flatMap((r) => Object.entries(r.orders).map(([value, label]) => el("option", { value }, label)));
        this.order.replaceChildren(el("option", { value: "" }, "As in the files"), ...options);
      }
      this.order.value = order ?? "";
      this.order.classList.toggle("set", Boolean(order));
    }
  }

  IEAT.Finder = Finder;
})();
