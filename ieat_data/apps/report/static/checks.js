// The checks of clips and samples and how many they rejected; how far a judge agrees with itself.
"use strict";

(() => {
  const { el, charts } = IEAT;
  const count = d3.format(",");
  const percent = d3.format(".0%");
  const short = (x) => String(+x.toFixed(4)).replace("-", "−");
  const share = (x) => `${+(100 * x).toFixed(2)}%`;
  const reason = (code, n) => IEAT.reasonLink(n, { reason: code });

  // check → its title, what it measures, and the format of its numbers
  const LOOKS = {
    lufs: ["Loudness", "Integrated loudness, LUFS (ITU-R BS.1770)", (x) => `${short(x)} LUFS`],
    clipped: ["Clipping", "Share of a clip that is clipped at full scale", share],
    silence: ["Silence", "Share of a clip that is silent", share],
    leading_s: ["Silence before", "Seconds before the first sound", (x) => `${short(x)} s`],
    trailing_s: ["Silence after", "Seconds after the last sound", (x) => `${short(x)} s`],
    error_rate: ["Does it say the text?", "ASR transcript against the text: WER in English, CER in Chinese", share],
    pace: ["Pace", "Seconds per word in English, per character in Chinese", short],
    overall: ["Sound quality", "Overall quality, 1 to 5, according to {mos}", short],
    similarity: ["The voice of its prompt", "Similarity of a cloned voice to its prompt, \u22121\u00a0to\u00a01", short],
  };

  // what a limit is on → how the page names it, the format of its numbers, and the decimals that another limit needs
  const plain = (unit = "") => (x) => `${short(+x.toFixed(2))}${unit}`;
  const MEASURES = {
    lufs: ["Loudness", plain(" LUFS"), 1],
    clipped: ["Clipping", share, 4],
    silence: ["Silence", share, 2],
    leading_s: ["Silence before", plain(" s"), 1],
    trailing_s: ["Silence after", plain(" s"), 1],
    overall: ["Sound quality", plain(), 2],
    similarity: ["Similarity", plain(), 2],
    seconds: ["Length", plain(" s"), 2],
    words: ["Length", plain(" words"), 0],
    characters: ["Length", plain(" characters"), 0],
    dnsmos: ["DNSMOS", plain(), 2],
    confidence: ["Confidence", plain(), 2],
    score: ["The judge’s mean", plain(), 2],
  };
  IEAT.measure = (measure, { metric }) => (measure === "error_rate" ? [metric ?? "Error rate", plain(), 2] : MEASURES[measure] ?? [measure, plain(), 2]);

  const either = (values, as) => `${values.map(as).join(" or ")}${values.length > 1 ? ", depending on the stage" : ""}`;
  function limit({ look, limits }, as) {
    if (look === "pace") return Object.entries(limits).map(([language, [low, high]]) => `${as(low)} to ${as(high)} s in ${IEAT.languageName(language)}`).join(", ");
    const said = Object.entries(limits).filter(([, values]) => values.length).map(([k, values]) => `${k.startsWith("min") ? "at least" : "at most"} ${either(values, as)}`);
    return said.length ? said.join(", ") : "No limit";
  }

  function look(x, engines) {
    const [name, what, as] = LOOKS[x.look];
    const mos = engines.find((e) => e.role === "mos")?.engine ?? "an engine";
    const found = Object.entries(x.rejects);
    const words = limit(x, as);
    return el(
      "div",
      { class: "block look" },
      el("h3", null, name),
      el("p", { class: "quiet" }, what.replace("{mos}", () => mos)),
      x.counts ? charts.spread(name, x, as) : null,
      el("p", { class: "look-limit" }, words[0].toUpperCase() + words.slice(1)),
      found.length ? el("p", { class: "reasons" }, found.map(([code, n]) => reason(code, n))) : el("p", { class: "quiet" }, "None rejected"),
    );
  }

  function audio(said) {
    const looks = said.audio_checks;
    if (!looks?.length) return null;
    const origins = ["recorded", "spoken"].filter((o) => looks.some((x) => x.counts?.[o]));
    const names = { recorded: "recorded", spoken: "spoken by a TTS engine" };
    const key = origins.map((o) => {
      const dot = el("span", { class: "emotion" }, names[o]);
      dot.style.setProperty("--emotion", charts.tint(o));
      return el("li", null, dot);
    });
    return IEAT.section(
      "Are the clips good enough?",
      origins.length
        ? "Every clip is measured before it is used. The charts show the clips that passed; the dashed lines are the limits."
        : "Every clip is measured before it is used. The distribution of the values is in the work folder, which is not here.",
      origins.length ? el("ul", { class: "legend looks-key" }, key) : null,
      el("div", { class: "blocks looks" }, looks.map((x) => look(x, said.engines))),
    );
  }

  function screened(said) {
    const { near_duplicates: alike, contamination: known } = said.screened ?? {};
    const found = (n, of, words) => el("p", { class: "found-n" }, el("strong", null, count(n)), el("span", { class: "quiet" }, ` of ${count(of)} samples ${words}`));
    const over = (x) => (x === null ? "not compared" : `duplicates from ${short(x)} on`);
    const blocks = [
      alike ? [
        "Near-duplicates",
        `Of nearly equal samples of one task and language, one is kept. The user’s words, with the same emotions: ${over(alike.said)}; the model’s own words: ${over(alike.answered)} (Jaccard similarity of runs of ${alike.words} English words, ${alike.characters} Chinese characters).`,
        found(alike.rejected, alike.of, "nearly equalled another one"), alike.rejected ? reason("near_duplicate", alike.rejected) : null,
      ] : null,
      known ? [
        "Benchmarks",
        `No sample may contain a benchmark’s text: ${known.words} English words or ${known.characters} Chinese characters in a row, or a similarity of ${short(known.similarity)}. Benchmarks: ${Object.keys(known.files).join(", ")}.`,
        found(known.rejected, known.of, "contained a benchmark’s text"), known.rejected ? reason("contaminated", known.rejected) : null,
      ] : null,
    ].filter(Boolean);
    if (!blocks.length) return null;
    return IEAT.section("Is it new?", null, el("div", { class: "pair screens" }, blocks.map(([name, what, n, link]) => el("div", { class: "block" }, el("h3", null, name), el("p", { class: "quiet" }, what), n, link))));
  }

  /** How to interpret the weighted kappa of two runs: a word, and the use of such numbers. */
  const WORTH = [
    [0.2, "hardly better than chance", "The numbers say nothing about a single sample and little about many: do not select samples by them."],
    [0.4, "weak", "Compare means over many samples with care; the numbers say little about a single sample."],
    [0.6, "moderate", "Good enough to compare the means of configs and builds, too coarse to decide on a single sample."],
    [0.8, "good", "Means can be compared, and a sample with a low number is worth checking."],
    [Infinity, "very good", "The judge repeats its numbers: a low number is a reason to check the sample."],
  ];
  const worth = (kappa) => WORTH.find(([below]) => kappa < below);

  function verdict(criteria) {
    const kappas = criteria.map(([, c]) => c.kappa).filter((k) => typeof k === "number");
    const judged = d3.sum(criteria, ([, c]) => c.judged);
    const equal = d3.sum(criteria, ([, c]) => c.equal * c.judged) / judged;
    if (!kappas.length) return `Both runs agree in ${percent(equal)}. The judge always gives the same number, so it distinguishes nothing.`;
    const [low, high] = d3.extent(kappas).map((k) => k.toFixed(2).replace("-", "−"));
    const middle = d3.median(kappas);
    const [, word, use] = worth(middle);
    const few = d3.max(criteria, ([, c]) => c.judged) < 30 ? " There are too few samples here to be sure." : "";
    return `Both runs agree in ${percent(equal)}; weighted kappa ${low === high ? low : `${low} to ${high}, median ${middle.toFixed(2).replace("-", "−")}`}: ${word}. ${use}${few}`;
  }

  function criterion([name, c], numbers) {
    const total = d3.sum(Object.values(c.numbers));
    const parts = numbers.filter((n) => c.numbers[n]).map((n) => {
      const part = el("span", null, c.numbers[n] / total > 0.05 ? n : "");
      part.style.flexGrow = String(c.numbers[n]);
      part.style.setProperty("--level", `${20 + (80 * (n - 1)) / 4}%`);
      if (n > 3) part.className = "high";
      return part;
    });
    const agree = c.kappa > 0 ? el("span", { class: "rank-bar", "aria-hidden": "true" }) : null;
    if (agree) agree.style.width = `${100 * c.kappa}%`;
    const said = numbers.map((n) => `${n}: ${count(c.numbers[n] ?? 0)}`).join(", ");
    return el(
      "li",
      null,
      el("span", { class: "rank-name" }, el("span", null, name.replaceAll("_", " ")), el("span", { class: "quiet" }, `${count(c.judged)} judged`)),
      el("span", { class: "judge-numbers", role: "img", "aria-label": `Numbers given: ${said}` }, parts),
      el("span", { class: "judge-kappa" }, el("span", { class: "rank-line" }, agree)),
      el("span", { class: "judge-words" }, el("strong", null, c.kappa === null ? "no κ" : `κ ${c.kappa.toFixed(2).replace("-", "−")}`), el("span", { class: "quiet" }, ` ${percent(c.equal)} equal`)),
    );
  }

  function judged(said) {
    const judge = said.judge;
    const criteria = Object.entries(judge?.criteria ?? {});
    if (!judge) return null;
    const title = "The judge";
    if (!criteria.length) return IEAT.section(title, "Nothing has been judged yet.");
    const numbers = [...new Set(criteria.flatMap(([, c]) => Object.keys(c.numbers)))].sort((a, b) => a - b);
    const tasks = d3.groups(criteria, ([name]) => name.split(".")[0]);
    const limit = judge.min_score === null || judge.min_score === undefined
      ? "No sample was rejected for its numbers."
      : [`Samples with a mean below ${short(judge.min_score)} were rejected: `, el("strong", null, count(judge.rejected)), ". ", judge.rejected ? reason("judged_low", judge.rejected) : null];
    return IEAT.section(
      title,
      "A language model rated each target from 1 to 5 on every criterion, twice: the second time with the scale explained in reverse.",
      el("p", { class: "judge-worth" }, verdict(criteria)),
      el("p", { class: "quiet" }, "A judge that agrees with itself may still be wrong: only people’s decisions show how often it is right (ieat review). ", limit),
      el("div", { class: "judge" }, tasks.map(([task, of], i) => el("div", null, el("div", { class: "judge-head" }, el("h3", null, task.replaceAll("_", " ")), i ? null : [el("span", { class: "quiet" }, "numbers given: a stronger colour is better"), el("span", { class: "quiet" }, "agreement κ: 0 is chance")]), el("ol", { class: "rank judge-rank" }, of.map(([name, c]) => criterion([name.split(".").slice(1).join("."), c], numbers)))))),
    );
  }

  IEAT.checks = { audio, screened, judged };
})();
