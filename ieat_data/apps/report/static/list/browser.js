// A list to search, filter and read. The address holds what is shown, and a row by its id: it outlives a rebuild.
"use strict";

(() => {
  const { el } = IEAT;
  const wide = matchMedia("(min-width: 900px)");

  class Browser {
    constructor(kind, section) {
      Object.assign(this, { kind, section, list: IEAT.lists[kind], as: IEAT.kinds[kind], filters: {}, order: "", page: 0, row: null, asked: null, found: [] });
      this.finder = new IEAT.Finder(kind, this.list, { set: (name, value) => this.set(name, value), clear: () => this.go({ filters: {}, order: "", row: null }), save: (format) => this.save(format) });
      this.items = new IEAT.Items(kind, this.list, (by) => this.turn(by));
      this.reader = new IEAT.Reader(kind, this.list);
      const title = this.as.noun[0].toUpperCase() + this.as.noun.slice(1);
      this.section.append(el("h1", { class: "visually-hidden" }, title), el("div", { class: "list" }, this.finder.node, this.items.node, this.items.pager), this.reader.node);
      this.list.listeners.add(() => this.refresh());
      wide.addEventListener("change", () => this.section.hidden || this.refresh());
      document.addEventListener("keydown", (e) => this.section.hidden || this.key(e));
    }

    /** Read the address. */
    show(params) {
      const known = ["q", ...this.as.facets.map((f) => f.column), ...this.as.ranges.map((r) => r.column)];
      this.filters = Object.fromEntries(known.map((k) => [k, params.get(k) ?? ""]).filter(([, v]) => v));
      this.order = params.get("order") ?? "";
      this.asked = params.has("page") ? Math.max(0, Number.parseInt(params.get("page"), 10) - 1 || 0) : null;
      this.wanted = IEAT.terms(this.filters.q);
      this.id = params.get("id");
      // a row that was clicked is known by its place: an id is looked for only where the address came from elsewhere
      if (this.id === null) this.row = null;
      else if (this.row === null || this.as.key(this.list, this.row) !== this.id) this.row = undefined;
      const reading = this.id !== null;
      if (reading && !this.section.classList.contains("reading")) this.listAt = scrollY;
      const back = !reading && this.section.classList.contains("reading") && !wide.matches;
      this.section.classList.toggle("reading", reading);
      const failed = (e) => (this.finder.status.textContent = e.message);
      if (!this.list.begun) this.list.load().catch(failed);
      if (this.wanted.length && !this.list.texts.begun) this.list.loadTexts().catch(failed);
      this.refresh();
      if (back) scrollTo({ top: this.listAt }); // on a phone, where the list was left
    }

    address({ filters = this.filters, order = this.order, page = null, row = null } = {}) {
      const params = new URLSearchParams(filters);
      if (order) params.set("order", order);
      if (page) params.set("page", String(page + 1));
      if (row !== null) params.set("id", this.as.key(this.list, row));
      return `#${this.kind}${params.size ? `?${params}` : ""}`;
    }

    /** Change the address. The open row stays open if the new list has it. */
    go(to) {
      this.keep = this.reader.shown;
      if (to.row !== undefined) this.row = to.row;
      location.replace(this.address(to));
    }

    /** Set a filter or the order. */
    set(name, value) {
      if (name === "order") return this.go({ order: value, row: null });
      const { [name]: _, ...others } = this.filters;
      this.go({ filters: value ? { ...others, [name]: value } : others, row: null });
    }

    turn(by) {
      this.go({ page: this.page + by, row: null });
      this.keep = null;
      this.items.node.scrollTop = 0;
    }

    refresh() {
      const { list, as, filters } = this;
      if (!list.loaded && list.rows) return; // the first rows are on their way
      if (this.row === undefined) this.row = this.lookUp();
      const order = IEAT.ranges.ordered(list, this.order);
      const hits = this.wanted.length ? list.texts.hits(this.wanted) : null;
      const { found, tallies } = IEAT.facets.match(list, as.facets, filters, as.ranges, order, hits);
      this.found = found;
      const whole = this.finder.show(filters, this.order, found.length, tallies);
      const first = this.row ?? (found.includes(this.keep) ? this.keep : null);
      this.page = this.items.show(found, {
        asked: this.asked, open: first, shown: this.reader.shown, order: this.order, wanted: this.wanted,
        address: (i, page) => this.address({ page, row: i }),
        nothing: whole ? (list.rows ? "No match. Clear a filter." : this.nothing()) : "",
      });
      this.read(whole, first);
    }

    lookUp() {
      const [id, stage] = this.id.split("@");
      for (let i = this.list.columns.id?.indexOf(id) ?? -1; i >= 0; i = this.list.columns.id.indexOf(id, i + 1)) {
        if (!stage || this.as.key(this.list, i) === this.id) return i;
      }
      return undefined;
    }

    /** Open the row that is asked for, or beside a list its first one; never one that the filter leaves out. */
    read(whole, first) {
      const { found } = this;
      if (this.row === undefined) {
        if (whole) this.reader.say(el("h2", null, "Not in this report"), el("p", { class: "quiet" }, `No row has the id ${this.id}.`));
        return this.links();
      }
      if (this.row !== null && !found.includes(this.row)) {
        if (whole) this.reader.say(el("h2", null, "Left out by the filter"), el("p", { class: "quiet" }, `The row ${this.id} is there, but the filter leaves it out. `), el("a", { class: "button", href: this.address({ filters: {}, order: "", row: this.row }) }, "Clear the filter"));
        return this.links();
      }
      const row = this.row ?? (wide.matches ? (first ?? found[this.page * IEAT.Items.PER_PAGE]) : null);
      if (row === undefined || row === null) {
        if (whole || !wide.matches) this.reader.say();
        return;
      }
      this.reader.open(row, this.wanted, (fresh) => {
        if (fresh && this.id !== null) scrollTo({ top: 0 });
        this.items.current(row);
        this.links();
      });
    }

    links() {
      const at = this.found.indexOf(this.reader.shown);
      const step = (to) => (at < 0 || to < 0 || to >= this.found.length ? null : this.address({ row: this.found[to] }));
      const own = this.reader.shown === null ? null : this.address({ filters: {}, order: "", row: this.reader.shown });
      this.reader.links({ all: this.address({ page: this.page }), before: step(at - 1), after: step(at + 1), own });
    }

    nothing() {
      if (this.kind === "samples") return IEAT.said.finished ? "No sample came out." : "No sample is finished yet.";
      return IEAT.said.rejects_known ? "No row was rejected." : "The work folder is not here: of rejected rows only the counts are known.";
    }

    async save(format) {
      const { status } = this.finder;
      const said = status.textContent;
      const { found } = this;
      const name = `${IEAT.said.name}-${this.kind}`.replace(/[^\p{L}\p{N}._-]+/gu, "-");
      try {
        await IEAT.save(this.list, found, format, name, (n) => (status.textContent = `${IEAT.count(n)} of ${IEAT.count(found.length)} rows written`));
        status.textContent = said;
      } catch (e) {
        status.textContent = e.message;
      }
    }

    /** j and k count from the row asked for, not the one drawn: a key pressed while a row loads is not lost. */
    key(e) {
      if (e.altKey || e.ctrlKey || e.metaKey || ["INPUT", "SELECT", "TEXTAREA"].includes(e.target.tagName)) return;
      const by = { j: 1, k: -1 }[e.key];
      const at = this.found.indexOf(this.row ?? this.reader.shown);
      const to = at + by;
      if (!by || at < 0 || to < 0 || to >= this.found.length) return;
      e.preventDefault();
      this.go({ row: this.found[to] });
    }
  }

  IEAT.Browser = Browser;
})();
