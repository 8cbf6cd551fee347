// How varied and balanced the configs are (`dataset/diversity.py`).
"use strict";

(() => {
  const { el, corpus, count, fold, languageName, rank, section, table } = IEAT;
  const object = (x) => (x !== null && typeof x === "object" && !Array.isArray(x) ? x : {});
  const share = (x) => (typeof x === "number" ? d3.format(".3~f")(x) : "");
  const length = (l) => (typeof l.p50 === "number" ? `${l.p50} (${l.p05} to ${l.p95})` : "");

  function openings({ config, kind, language, t }) {
    const ranked = Object.entries(t.openings).filter(([, n]) => typeof n === "number").slice(0, 5);
    const rows = ranked.map(([opening, n]) => [el("a", { class: "rank-name", href: IEAT.narrowed("samples", { config, language, q: `"${opening.replaceAll('"', "")}"` }) }, corpus("span", "", opening, language)), n / ranked[0][1], d3.format(".1%")(n)]);
    return el("div", { class: "block" }, el("h3", null, `${config} ${kind}, ${languageName(language)}`), rank(rows, "rank openings"));
  }

  IEAT.diversity = (said) => {
    const configs = Object.entries(object(said.diversity));
    if (!configs.length) return null;
    const texts = configs.flatMap(([config, d]) =>
      Object.entries(object(d?.texts)).flatMap(([kind, by]) => Object.entries(object(by)).map(([language, t]) => ({ config, kind, language, t: object(t) }))),
    );
    const rows = texts.map(({ config, kind, language, t }) => [
      el("span", { class: "corpus" }, `${config} ${kind}`), languageName(language), typeof t.texts === "number" ? count(t.texts) : "",
      share(t.distinct_1), share(t.distinct_2), share(t.distinct_3), share(t.different_openings), length(object(t.length)),
    ]);
    const even = configs.map(([config, d]) => {
      const [e, s] = [object(d?.evenness), object(d?.speakers)];
      return [corpus("span", "", config), share(e.task), share(e.language), share(e.emotion), share(e.transition), typeof s.different === "number" ? count(s.different) : "", share(s.of_most_frequent)];
    });
    const opened = texts.filter(({ t }) => Object.keys(object(t.openings)).length);
    const heads = ["texts", "language", "how many", "distinct 1", "distinct 2", "distinct 3", "different openings", "length: median (5 to 95 %)"];
    return section(
      "Diversity and balance",
      "Evenness is the entropy of the counts: 1 if all are equal. Distinct is the share of different n-grams among all.",
      fold("Evenness", "of tasks, languages, emotions and speakers", table(["config", "tasks", "languages", "emotions", "transitions", "speakers", "share of the most frequent"], even, "Evenness")),
      rows.length ? fold("Words of the training texts", "different n-grams, and how long they are", table(heads, rows, "Diversity of texts")) : null,
      opened.length ? fold("Most frequent openings", "how often texts begin alike", el("div", { class: "blocks" }, opened.map(openings))) : null,
    );
  };
})();
