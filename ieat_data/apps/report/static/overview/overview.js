// The first view: what was built, from which sources, what was rejected and why, and what it cost.
"use strict";

(() => {
  const { el, charts } = IEAT;

  /** Links to the sections. */
  function contents(parts) {
    const entry = (part) => el("li", null, el("a", { href: `#${part.id}`, dataset: { part: part.id } }, part.dataset.title));
    return el("nav", { class: "contents", "aria-label": "Contents" }, el("ol", null, parts.map(entry)));
  }

  /** Mark in the contents the section that is read. */
  function follow(nav, parts) {
    const seen = new Set();
    const watch = new IntersectionObserver((entries) => {
      if (!nav.isConnected) return watch.disconnect();
      for (const e of entries) seen[e.isIntersecting ? "add" : "delete"](e.target);
      const first = parts.find((p) => seen.has(p));
      for (const a of nav.querySelectorAll("a")) {
        if (first && a.dataset.part === first.id) a.setAttribute("aria-current", "location");
        else a.removeAttribute("aria-current");
      }
    }, { rootMargin: "-64px 0px -55% 0px" });
    for (const p of parts) watch.observe(p);
  }

  IEAT.overview = (said) => {
    const rejected = d3.sum(said.funnel, (s) => d3.sum(Object.values(s.rejects)));
    const pair = (...both) => el("div", { class: "pair" }, both);
    const felt = Object.keys(said.counts.emotion).length
      ? IEAT.section("Emotions", null, pair(charts.emotions(said), Object.keys(said.counts.transition).length ? charts.transitions(said) : null))
      : null;
    const heard = said.clips ? IEAT.section("Speech", null, pair(charts.lengths(said), IEAT.speakers(said))) : null;
    const parts = [IEAT.built(said), IEAT.funnel(said), felt, heard, IEAT.checks.audio(said), IEAT.checks.screened(said), IEAT.diversity(said), IEAT.checks.judged(said), IEAT.effort(said), IEAT.sources(said)].filter(Boolean);
    const nav = contents(parts);
    follow(nav, parts);
    return [IEAT.hero(said, rejected), nav, el("div", { class: "parts" }, parts)];
  };
})();
