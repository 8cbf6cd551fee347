// The rows of a list, a page at a time.
"use strict";

(() => {
  const { el, corpus, count } = IEAT;
  const PER_PAGE = 25;

  /** `turn(by)`: called when another page is wanted. */
  class Items {
    constructor(kind, list, turn) {
      Object.assign(this, { as: IEAT.kinds[kind], list });
      this.node = el("ol", { class: "items" });
      const button = (by, label) => el("button", { type: "button", class: "button", "aria-label": label, onclick: () => turn(by) }, by < 0 ? "← Earlier" : "Later →");
      this.back = button(-1, "Earlier page");
      this.on = button(1, "Later page");
      this.where = el("span", { class: "quiet" });
      this.pager = el("nav", { class: "pager", "aria-label": `Pages of ${this.as.noun}` }, this.back, this.where, this.on);
    }

    /** Show a page of the rows `found`. Return its number: `asked`, or where the row `open` is.
     *  `address(i, page)`: of a row; `wanted`: the terms of a search; `nothing`: what to say where no row is. */
    show(found, { asked, open, shown, order, wanted, address, nothing }) {
      const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
      const page = Math.min(asked ?? Math.floor(Math.max(0, found.indexOf(open)) / PER_PAGE), pages - 1);
      const rows = found.slice(page * PER_PAGE, (page + 1) * PER_PAGE);
      const focused = this.node.contains(document.activeElement);
      this.node.replaceChildren(...rows.map((i) => this.item(i, { shown, order, wanted, href: address(i, page) })));
      if (focused) (this.node.querySelector("[aria-current]") ?? this.node.querySelector(".item"))?.focus({ preventScroll: true });
      if (!rows.length && nothing) this.node.append(el("li", { class: "none quiet" }, nothing));
      this.where.textContent = `${page + 1} of ${count(pages)}`;
      this.back.disabled = page === 0;
      this.on.disabled = page >= pages - 1;
      this.pager.hidden = pages === 1;
      return page;
    }

    item(i, { shown, order, wanted, href }) {
      const { list } = this;
      const language = list.value("language", i);
      const hit = wanted.length ? list.texts.excerpt(i, wanted) : null;
      const text = hit?.text ?? list.value("text", i);
      const link = el(
        "a",
        { href, class: "item", dataset: { row: i } },
        hit?.part ? el("span", { class: "item-part" }, hit.part) : null,
        text ? corpus("span", "item-text", text, hit && ["speaker", "id"].includes(hit.part) ? null : language) : el("span", { class: "item-text quiet" }, "no text"),
        el("span", { class: "item-meta" }, this.as.meta(list, i, order)),
      );
      IEAT.mark(link, wanted);
      if (i === shown) link.setAttribute("aria-current", "true");
      return el("li", null, link);
    }

    /** Mark the open row, and bring it in sight in a list that scrolls by itself. */
    current(row) {
      for (const link of this.node.querySelectorAll(".item")) {
        if (Number(link.dataset.row) === row) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
      const link = this.node.querySelector("[aria-current]");
      if (link && this.node.contains(document.activeElement)) link.focus({ preventScroll: true });
      if (!link || this.node.scrollHeight <= this.node.clientHeight) return;
      const [box, at] = [this.node.getBoundingClientRect(), link.getBoundingClientRect()];
      if (at.top < box.top) this.node.scrollTop -= box.top - at.top;
      if (at.bottom > box.bottom) this.node.scrollTop += at.bottom - box.bottom;
    }
  }

  Items.PER_PAGE = PER_PAGE;
  IEAT.Items = Items;
})();
