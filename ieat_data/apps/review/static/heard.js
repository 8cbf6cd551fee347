// Which clips of a sample were heard to the end, by what the browser played. Kept for this tab.
"use strict";

const Heard = (() => {
  const ENOUGH = 0.95; // of a clip's length, in whatever pieces and at whatever speed
  const known = new Map(JSON.parse(sessionStorage.getItem("heard") ?? "[]"));
  let item = "";
  let clips = [];
  let told = () => {};

  const set = () => new Set(known.get(item) ?? []);

  function played(audio) {
    let seconds = 0;
    for (let i = 0; i < audio.played.length; i += 1) seconds += audio.played.end(i) - audio.played.start(i);
    return seconds;
  }

  function note(event) {
    const at = clips.indexOf(event.target);
    const length = event.target.duration;
    if (at < 0 || !(length > 0) || played(event.target) < ENOUGH * length) return;
    const heard = set();
    if (heard.has(at)) return;
    known.set(item, [...heard, at]);
    sessionStorage.setItem("heard", JSON.stringify([...known]));
    told();
  }

  /** Follow the clips in `stage`, which shows the item `name`. `change` is called when one more was heard. */
  function follow(stage, name, change) {
    item = name;
    clips = [...stage.querySelectorAll("audio")];
    told = change;
    for (const clip of clips) for (const event of ["timeupdate", "pause", "ended"]) clip.addEventListener(event, note);
    change();
  }

  const count = () => set().size;
  const all = () => clips.length > 0 && count() >= clips.length;
  const words = () => (clips.length ? (all() ? "heard" : clips.length === 1 ? "not heard yet" : `${count()} of ${clips.length} clips heard`) : "");

  return { follow, all, words, none: () => clips.length === 0 };
})();
