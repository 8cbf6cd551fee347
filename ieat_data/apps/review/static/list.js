// The items as a list: search, filter, page by page; and what decides on many at once.
"use strict";

const List = (() => {
  const { el, corpus } = window.IEAT;
  const { said, titled, language } = Views;

  /** Text with the searched words marked, wherever they stand. */
  function marked(text, terms) {
    const lower = text.toLowerCase();
    if (!terms.length || lower.length !== text.length) return [text]; // some letters change their length
    const nodes = [];
    for (let at = 0; at < text.length; ) {
      const next = terms.map((t) => [lower.indexOf(t, at), t.length]).filter(([i]) => i >= 0).sort((a, b) => a[0] - b[0] || b[1] - a[1])[0];
      if (!next) {
        nodes.push(text.slice(at));
        break;
      }
      nodes.push(text.slice(at, next[0]), el("mark", null, text.slice(next[0], next[0] + next[1])));
      at = next[0] + next[1];
    }
    return nodes;
  }

  function line(className, text, row, terms) {
    const shown = corpus("span", className, "", row.language);
    shown.append(...marked(text.replace(/\s+/g, " "), terms));
    return shown;
  }

  function row(one, terms, reasons, open) {
    const mine = one.mine;
    const wanted = one.assigned.length;
    const state = [
      el("span", { class: `row-mine ${mine?.decision ?? ""}` }, mine ? titled(said(mine, reasons)) : "not decided"),
      wanted ? el("span", { class: "quiet" }, `${one.decided} of ${Math.max(wanted, one.decided)} · ${one.assigned.join(", ")}`) : one.decided ? el("span", { class: "quiet" }, one.decided === 1 ? "1 decision" : `${one.decided} decisions`) : null,
    ];
    return el(
      "li",
      null,
      el(
        "button",
        { class: "row", type: "button", dataset: { row: one.item }, onclick: () => open(one) },
        el("span", { class: terms.length ? "row-texts searched" : "row-texts" }, line("row-head", one.texts[0] || one.item, one, terms), line("row-tail quiet", one.texts[1], one, terms), one.hit ? line("row-hit", one.hit, one, terms) : null),
        el("span", { class: "row-about quiet" }, `${titled(one.task)} · ${language(one.language)}`),
        el("span", { class: "row-state" }, state),
      ),
    );
  }

  function pager(found, go) {
    if (found.pages < 2) return null;
    const to = (page, label, words) => el("button", { class: "button", type: "button", "aria-label": words, disabled: page < 0 || page >= found.pages, onclick: () => go(page) }, label);
    return el("nav", { class: "pager", "aria-label": "Pages" }, to(found.page - 1, "←", "Previous page"), el("span", { class: "quiet" }, `${found.page + 1} of ${found.pages}`), to(found.page + 1, "→", "Next page"));
  }

  /** The fields of the list: a search in all texts, a reason. They keep their place while the rows below change. */
  function tools(session, q, reason, change) {
    const search = el("input", { id: "q", type: "search", placeholder: "Search all texts", value: q, autocomplete: "off", spellcheck: "false", maxlength: 200 });
    const why = el("select", { id: "reason" }, el("option", { value: "" }, "Any reason"), Object.entries(session.reasons).map(([code, label]) => el("option", { value: code }, label)));
    why.value = reason;
    let waiting = 0;
    const now = () => {
      clearTimeout(waiting);
      change(search.value.trim(), why.value);
    };
    search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(now, 250);
    });
    why.addEventListener("change", now);
    const form = el("form", { class: "list-tools", role: "search" }, el("label", { class: "visually-hidden", for: "q" }, "Search all texts"), search, el("label", { class: "visually-hidden", for: "reason" }, "Reason"), why);
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      now();
    });
    return form;
  }

  function rows(found, q, reasons, open, go) {
    const terms = q.toLowerCase().split(/\s+/).filter(Boolean);
    return el(
      "div",
      { class: "list-rows" },
      el("p", { class: "list-count", role: "status" }, found.items === 1 ? "1 item" : `${found.items} items`),
      found.items ? el("ul", { class: "rows" }, found.rows.map((r) => row(r, terms, reasons, open))) : el("p", { class: "quiet list-none" }, "No item matches."),
      pager(found, go),
    );
  }

  /** Ask before many items are decided on at once. `go()` does it. */
  function confirmation(n, verb, why, go) {
    return [
      el("h2", { tabindex: -1, autofocus: true }, `${titled(verb)} ${n} items?`),
      el("p", { class: "quiet" }, `${why ? `Reason: ${why}. ` : ""}They are decided under your name, without being opened. One undo takes all of it back.`),
      el("form", { method: "dialog", class: "sheet-close" }, el("button", { class: "button", type: "submit" }, "Cancel ", el("kbd", null, "Esc")), " ", el("button", { class: `button ${verb === "reject" ? "danger" : "primary"}`, type: "submit", id: "go-many", onclick: go }, `${titled(verb)} ${n}`)),
    ];
  }

  return { tools, rows, confirmation };
})();
