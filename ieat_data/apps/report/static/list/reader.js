// The open row beside the list, or in its place on a phone.
"use strict";

(() => {
  const { el } = IEAT;

  class Reader {
    constructor(kind, list) {
      Object.assign(this, { as: IEAT.kinds[kind], list, shown: null });
      this.node = el("div", { class: "detail", tabindex: -1 });
    }

    /** Show a whole row with the terms of the search marked; `drawn`: called when it stands there. */
    async open(row, wanted, drawn) {
      const key = JSON.stringify([row, wanted, this.list.revision]);
      if (key === this.key) return drawn();
      this.key = key;
      this.shown = row;
      let whole;
      try {
        whole = await this.list.row(row);
      } catch (e) {
        return this.say(el("p", { class: "fault" }, e.message));
      }
      if (this.key !== key) return; // another was opened meanwhile
      const [title, note] = this.as.title(whole);
      this.back = el("a", { class: "button back" }, "← All");
      this.before = el("a", { class: "button", "aria-label": "Previous" }, "↑");
      this.after = el("a", { class: "button", "aria-label": "Next" }, "↓");
      this.link = el("a", { class: "permanent", title: "A link to this row: it stays the same in the next build" }, "Link");
      const head = el("header", { class: "detail-head" }, this.back, el("div", { class: "detail-title" }, el("h2", null, title), el("p", { class: "quiet" }, note, " · ", this.link)), el("div", { class: "steps" }, this.before, this.after));
      const body = this.as.render(whole);
      IEAT.mark(body, wanted);
      this.node.replaceChildren(head, body);
      this.node.scrollTop = 0;
      drawn(true);
    }

    /** Say something in place of a row. */
    say(...what) {
      this.shown = this.key = null;
      this.node.replaceChildren(el("div", { class: "none" }, what));
    }

    /** Set the links of the open row's head; `before` and `after` are null at the ends of the list. */
    links({ all, before, after, own }) {
      if (!this.back?.isConnected) return;
      for (const [node, href] of [[this.before, before], [this.after, after], [this.back, all], [this.link, own]]) {
        if (!href) node.removeAttribute("href");
        else node.href = href;
        node.toggleAttribute("aria-disabled", !href);
      }
    }
  }

  IEAT.Reader = Reader;
})();
