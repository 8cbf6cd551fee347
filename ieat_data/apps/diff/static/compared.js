// What two manifests say differently: counts, rejects, settings, prompts.
"use strict";

(() => {
  const { el, corpus } = IEAT;
  const count = (n) => n.toLocaleString("en");
  const signed = (n) => (n > 0 ? `+${count(n)}` : n < 0 ? `−${count(-n)}` : "0");
  const words = (text) => text.replaceAll("_", " ");

  /** A text with places [from, to] wrapped in `tag` (del, ins), across all elements in it but hidden ones. */
  IEAT.mark = (node, places, tag) => {
    const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT, (t) =>
      t.parentElement.closest(".visually-hidden") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
    );
    const found = [];
    let at = 0;
    for (let text = walker.nextNode(); text; at += text.length, text = walker.nextNode()) {
      for (const [from, to] of places) {
        const [start, end] = [Math.max(0, from - at), Math.min(text.length, to - at)];
        if (start < end) found.push([text, start, end]);
      }
    }
    // from the end: what is wrapped leaves the text before it as it was
    for (const [text, start, end] of found.reverse()) {
      const range = document.createRange();
      range.setStart(text, start);
      range.setEnd(text, end);
      range.surroundContents(el(tag, null));
    }
    return node;
  };

  function section(title, intro, ...content) {
    return el("section", { class: "part" }, el("div", { class: "part-head" }, el("h2", null, title), el("p", { class: "quiet" }, intro)), content);
  }

  /** Rows whose last three cells are A, B and their difference; the cells before them name the row. */
  function table(caption, heads, rows) {
    const cell = (value, i) => (i ? el("td", { "data-head": heads[i], class: i >= heads.length - 3 ? "number" : null }, value) : el("th", { scope: "row" }, value));
    return el(
      "div",
      { class: "table", tabindex: 0, role: "region", "aria-label": caption },
      el("table", null, el("thead", null, el("tr", null, heads.map((h, i) => el("th", { scope: "col", class: i >= heads.length - 3 ? "number" : null }, h)))), el("tbody", null, rows.map((row) => el("tr", null, row.map(cell))))),
    );
  }

  const numbers = (one) => [count(one.a ?? 0), count(one.b ?? 0), signed((one.b ?? 0) - (one.a ?? 0))];

  function setting(one) {
    const side = (name, tag, i) => {
      const text = corpus("dd", "", one[name]);
      return [el("dt", null, name.toUpperCase()), one.marks ? IEAT.mark(text, one.marks[i], tag) : text];
    };
    return el("li", null, el("h3", { class: "corpus" }, one.key), el("dl", { class: "facts" }, side("a", "del", 0), side("b", "ins", 1)));
  }

  function prompt(one) {
    const kinds = { "+": "ins", "-": "del" };
    const line = (text) => (text.startsWith("@@") ? el("li", { class: "quiet" }, "…") : el("li", null, corpus(kinds[text[0]] ?? "span", "", text)));
    const body = one.lines
      ? [el("ol", { class: "lines" }, one.lines.map(line)), one.all > one.lines.length ? el("p", { class: "quiet" }, `and ${count(one.all - one.lines.length)} lines more`) : null]
      : el("p", { class: "quiet" }, "The texts are not there any more: the work folder of a build keeps those that it was made with.");
    return el("li", null, el("details", { open: one.all > 0 && one.all <= 60 }, el("summary", null, el("span", { class: "corpus" }, one.file), " ", el("span", { class: "quiet" }, one.how)), body));
  }

  function hero(said) {
    const of = (side) =>
      el("div", { class: "build" }, el("h2", null, el("span", { class: "side" }, side.toUpperCase()), " ", corpus("span", "", said[side].name)), el("dl", { class: "facts" }, IEAT.fact("folder", IEAT.code(said[side].folder)), IEAT.fact("samples", count(said[side].rows)), IEAT.fact("audio", `${(said[side].audio_s / 60).toFixed(1)} min`), IEAT.fact("digest", IEAT.code(`${said[side].content_digest.slice(0, 16)}…`))));
    const kinds = { same: "the same in both", changed: "written otherwise", only_a: "only in A", only_b: "only in B" };
    const figures = said.samples
      ? el("dl", { class: "figures" }, Object.entries(kinds).map(([key, name]) => el("div", null, el("dt", null, name), el("dd", null, count(said.samples[key])))))
      : el("p", { class: "quiet note" }, "One of the two is only a manifest, so samples are not compared.");
    const differ = said.samples ? said.samples.changed + said.samples.only_a + said.samples.only_b : 0;
    const some = differ > said.listed.length ? el("p", { class: "quiet note" }, `This page has ${count(said.listed.length)} of the ${count(differ)} samples that differ; ieat diff --page with -n takes more.`) : null;
    const state = said.same ? el("span", { class: "state done" }, "the samples are the same") : el("span", { class: "state" }, "the samples differ");
    return el("header", { class: "hero" }, el("p", { class: "overline" }, "Two builds", state), el("h1", null, "A beside B"), el("div", { class: "builds" }, of("a"), of("b")), figures, some);
  }

  IEAT.compared = (said) => [
    hero(said),
    said.counts.length ? section("Counts", "Only what differs.", table("Counts", ["what", "A", "B", "B − A"], said.counts.map((one) => [words(one.what.replaceAll(".", " · ")), ...numbers(one)]))) : null,
    said.rejects.length ? section("Rejected rows", "By stage and reason, where their numbers differ.", table("Rejected rows", ["stage", "reason", "A", "B", "B − A"], said.rejects.map((one) => [one.stage, [words(one.reason), one.says ? el("span", { class: "meaning quiet" }, one.says) : null], ...numbers(one)]))) : null,
    said.settings.length ? section("Settings", "Pipeline, profile, engines and versions that differ.", el("ol", { class: "settings" }, said.settings.map(setting))) : null,
    said.prompts.length ? section("Prompts", "Files below prompts/ that differ, line by line.", el("ol", { class: "prompts" }, said.prompts.map(prompt))) : null,
  ];
})();
