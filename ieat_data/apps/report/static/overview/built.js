// What was built: each config with its samples, audio, languages and turns.
"use strict";

(() => {
  const { el, count, long, languageName, linkTo, section, split, table } = IEAT;
  const named = (text) => text.replaceAll(" ", "\u00a0");

  IEAT.built = (said) => {
    const rows = Object.entries(said.configs).map(([config, c]) => [
      linkTo("samples", { config }, config),
      count(c.rows),
      long(c.audio_s),
      split(c.language, (language, n) => linkTo("samples", { config, language }, named(`${count(n)} ${languageName(language)}`))),
      split(c.n_turns, (turns, n, i) => linkTo("samples", { config, turns }, named(`${count(n)} ${i ? "" : n === 1 ? "sample " : "samples "}with ${IEAT.turns(turns)}`))),
    ]);
    const used = said.dialogues?.pool
      ? el("p", { class: "quiet note" }, `${count(said.dialogues.used)} of ${count(said.dialogues.pool)} empathy samples drawn for dialogues are used (at most ${count(said.dialogues.possible)} are usable).`)
      : null;
    const nowhere = Object.entries(said.dialogues?.no_recording ?? {}).map(([source, n]) => `${count(n)} of ${source}`);
    const alone = nowhere.length
      ? el("p", { class: "quiet note" }, `Empathy samples whose corpus names no recording, so that they stay single: ${nowhere.join(", ")}.`)
      : null;
    const heads = ["config", "samples", "audio", "languages", "turns of the user"];
    return section("What was built", null, rows.length ? table(heads, rows, "Configs") : el("p", { class: "quiet" }, said.finished ? "No sample came out." : "No sample is finished yet."), used, alone);
  };
})();
