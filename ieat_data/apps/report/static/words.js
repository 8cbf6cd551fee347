// Numbers and names as a reader reads them.
"use strict";

(() => {
  const count = d3.format(",");
  const LANGUAGES = { en: "English", zh: "Chinese" };

  Object.assign(IEAT, {
    count,
    percent: (x) => (x > 0 && x < 0.005 ? "<1%" : d3.format(".0%")(x)),
    /** A code as words. */
    words: (x) => String(x ?? "unknown").replaceAll("_", " "),
    languageName: (x) => LANGUAGES[x] ?? x ?? "unknown",
    listed: (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`),
    turns: (n) => (Number(n) === 1 ? "1 turn" : `${n} turns`),
    /** A length of time. */
    long(seconds) {
      if (seconds < 120) return `${seconds.toFixed(0)} s`;
      return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${count(+(seconds / 3600).toFixed(1))} h`;
    },
    /** The address of a list that is narrowed by these filters. */
    narrowed: (view, filters) => `#${view}?${new URLSearchParams(filters)}`,
  });
})();
