// An item in the middle of the page, and the decisions on it. Texts enter the page only as text nodes (IEAT.el).
"use strict";

const Views = (() => {
  const { el, corpus } = window.IEAT;
  const DONE = { accept: "accepted", reject: "rejected", edit: "edited" };
  const LANGUAGES = { en: "English", zh: "Chinese" };

  const titled = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const language = (code) => LANGUAGES[code] ?? code;

  /** A decision in words. */
  function said(decision, reasons) {
    const why = decision.reason ? `: ${reasons[decision.reason] ?? decision.reason}` : "";
    return `${DONE[decision.decision]}${why}`;
  }

  /** A line with one person's decision. `mine`: it is the reviewer's own. */
  function stamp(decision, item, reasons, mine) {
    const when = new Date(decision.time);
    return el(
      "li",
      { class: `stamp ${decision.decision}`, dataset: { mine: mine ? "yes" : "no" } },
      el("span", { class: "stamp-who" }, mine ? "You" : decision.reviewer),
      " ",
      el("span", { class: "stamp-what" }, said(decision, reasons)),
      decision.text ? corpus("q", "stamp-text", decision.text, item.language) : null,
      decision.batch ? el("span", { class: "quiet" }, "with many others") : null,
      decision.note ? corpus("span", "stamp-note", decision.note) : null,
      el("time", { class: "quiet", datetime: decision.time }, when.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })),
    );
  }

  function stamps(item, reasons) {
    const listed = [
      item.mine ? stamp(item.mine, item, reasons, true) : null,
      ...item.others.map((d) => stamp(d, item, reasons, false)),
      item.changed ? el("li", { class: "stamp changed" }, "This item has changed since your decision: review it again.") : null,
    ].filter(Boolean);
    return listed.length ? el("ul", { class: "stamps", "aria-label": "Decisions" }, listed) : null;
  }

  const head = (item, place) =>
    el(
      "div",
      { class: "item-head" },
      el("span", { class: "item-task" }, titled(item.task)),
      el("span", null, language(item.language)),
      el("span", { class: "item-heard", role: "status" }),
      el("span", { class: "item-place" }, place),
    );

  function instruction(item) {
    const { text, status, tags, origin, near } = item.content;
    const alike = near.map((n) =>
      el("li", null, corpus("span", "", n.text, item.language), el("span", { class: "quiet" }, ` ${n.item}, ${n.alike} % alike`)),
    );
    return el(
      "article",
      { class: "instruction", dataset: { id: item.item } },
      corpus("p", "instruction-text", text, item.language),
      el("p", { class: "instruction-about quiet" }, [item.item, status, tags, origin].filter(Boolean).join(" · ")),
      item.remark ? el("p", { class: "remark" }, `Breaks a rule of the bank: ${item.remark}`) : null,
      alike.length ? el("section", { class: "near" }, el("h2", null, "Similar ones in the bank"), el("ul", null, alike)) : null,
    );
  }

  /** Edit the instruction's text in place, until `save(text)` or `cancel()`. */
  function editor(item, save, cancel) {
    const before = item.content.text;
    const field = el("textarea", { class: "instruction-text", id: "text", rows: 1, maxlength: 500, spellcheck: "true", lang: item.language, dir: "auto" });
    field.value = item.mine?.text || before;
    const fit = () => {
      field.style.height = "auto";
      field.style.height = `${field.scrollHeight}px`;
    };
    const done = () => save(field.value.replace(/\s+/g, " ").trim());
    field.addEventListener("input", fit);
    field.addEventListener("keydown", (e) => {
      if (e.key === "Enter" && !e.isComposing) {
        e.preventDefault();
        done();
      } else if (e.key === "Escape") cancel();
    });
    requestAnimationFrame(() => {
      fit();
      field.focus();
      field.setSelectionRange(field.value.length, field.value.length);
    });
    return el(
      "article",
      { class: "instruction editing", dataset: { id: item.item } },
      el("label", { class: "visually-hidden", for: "text" }, "New text"),
      field,
      el("p", { class: "instruction-about quiet" }, "was: ", corpus("span", "", before, item.language)),
      el(
        "div",
        { class: "edit-line" },
        el("button", { class: "button primary", type: "button", onclick: done }, "Save ", el("kbd", null, "Enter")),
        el("button", { class: "button", type: "button", onclick: cancel }, "Cancel ", el("kbd", null, "Esc")),
      ),
    );
  }

  function sample(item) {
    const shown = window.renderSample({ ...item.content, id: item.item }, { audioUrl: (_, i) => Api.audioUrl(item, i) });
    const from = shown.querySelector(".provenance");
    if (from) from.open = false;
    return shown;
  }

  const empty = (words, tools) => el("div", { class: "empty" }, el("p", null, words), el("div", { class: "empty-tools" }, tools));

  return { head, instruction, editor, sample, stamps, empty, said, titled, language };
})();
