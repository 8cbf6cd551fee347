// The head of the overview: the dataset's name, its figures, and what a reader must know of it.
"use strict";

(() => {
  const { el, count, long, listed, languageName, percent } = IEAT;

  /** How far a running build is: "being built · 34% · 12.0 min left". */
  function underWay(progress) {
    if (!progress) return "being built";
    return ["being built", percent(progress.share), progress.left_s ? `${long(progress.left_s)} left` : null].filter(Boolean).join(" · ");
  }

  function state(said) {
    if (!said.finished) return el("span", { class: "state" }, underWay(said.progress));
    return said.nothing ? el("span", { class: "state empty" }, "no sample") : el("span", { class: "state done" }, "finished");
  }

  IEAT.hero = (said, rejected) => {
    const languages = listed(Object.keys(said.counts.language).map(languageName));
    const figures = [
      ["samples", count(said.rows), "#samples"],
      ["of audio", long(said.audio_s), null],
      [languages ? `speakers, in ${languages}` : "speakers", count(said.speakers.known), null],
      ["rows rejected", count(rejected), "#rejected"],
    ];
    const notices = [
      ...Object.entries(said.grades ?? {}).map(([role, grade]) => `The ${role} engine is of ${grade} grade: do not train on its labels.`),
      said.nothing ? `No sample came out: ${said.nothing}.` : null,
      said.non_commercial ? "At least one source is for non-commercial use only." : null,
      said.recording ? `The engines’ answers come from the recording “${said.recording}”: no engine ran.` : null,
    ].filter(Boolean);
    const figure = ([name, n, href]) => el("div", null, el("dt", null, name), el("dd", null, href ? el("a", { href }, n) : n));
    return el(
      "header",
      { class: "hero" },
      el("p", { class: "overline" }, "IEAT dataset", state(said)),
      el("h1", null, said.name),
      el("p", { class: "lede" }, `Speech in, the user’s emotion written into the think block, and the model’s own reasoning and answer after it. From ${listed([...new Set(said.sources.map((s) => s.name))])}.`),
      el("dl", { class: "figures" }, figures.map(figure)),
      notices.length ? el("ul", { class: "notices" }, notices.map((x) => el("li", null, x))) : null,
    );
  };
})();
