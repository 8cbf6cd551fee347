// One review in one window: the queue, the current item, decisions, keys. The server keeps the decisions; the window
// keeps the reviewer (for its own tab) and, in the address, the filters: a reload changes nothing.
"use strict";

(() => {
  const { el } = window.IEAT;
  const $ = (id) => document.getElementById(id);
  const state = { session: null, reviewer: "", queue: [], at: 0, of: 0, decided: 0, item: null, busy: false, undo: [], view: "item", q: "", reason: "", page: 0 };
  const FILTERS = ["shown", "task", "language"];
  const asked = () => Object.fromEntries([["reviewer", state.reviewer], ...FILTERS.map((f) => [f, $(f).value]), ["q", state.q], ["reason", state.reason]]);

  // -- the address and the name --------------------------------------------------------------------------------

  const address = () => new URLSearchParams(location.hash.slice(1));

  function remember() {
    const kept = new URLSearchParams();
    for (const f of FILTERS) if ($(f).value) kept.set(f, $(f).value);
    for (const f of ["q", "reason"]) if (state[f]) kept.set(f, state[f]);
    const now = state.queue[state.at];
    if (state.view === "list") kept.set("page", state.page);
    if (now) kept.set("item", `${now[0]}/${now[1]}`);
    history.replaceState(null, "", `${location.pathname}#${kept}`); // without the token that the link may have had
  }

  function begin(reviewer) {
    state.reviewer = reviewer;
    sessionStorage.setItem("reviewer", reviewer); // per tab: two tabs may be two people
    localStorage.setItem("reviewer", reviewer);
    $("who").textContent = reviewer;
    $("top").hidden = false;
    state.undo = [];
    if (state.session.guidelines) Guide.start().catch(() => {});
    if (state.view === "list") return Promise.all([count(), board.show()]).then(draw);
    return load(address().get("item"));
  }

  function askName(words) {
    $("top").hidden = $("deck").hidden = true;
    hideToast();
    if (!$("open-guide").hidden) Guide.close();
    $("stage").className = "";
    $("stage").replaceChildren(Names.gate(state.session, localStorage.getItem("reviewer") ?? "", (name) => guarded(() => begin(name))));
    (document.getElementById("reviewer") ?? $("stage").querySelector("button"))?.focus();
    if (words) toast(words, false, true);
  }

  /** Ask anew, with the names as they are now. */
  async function changeName() {
    state.session = await Api.session();
    askName();
  }

  // -- the queue -----------------------------------------------------------------------------------------------

  async function load(wanted) {
    state.view = "item";
    await count();
    const at = state.queue.findIndex(([of, item]) => `${of}/${item}` === wanted);
    await show(Math.max(at, 0));
  }

  /** Read the queue anew, and how far the reviewer is. */
  async function count() {
    const found = await Api.get("/api/queue", asked());
    Object.assign(state, { queue: found.items, of: found.of, decided: found.decided });
  }

  async function show(at) {
    state.at = Math.min(Math.max(at, 0), Math.max(state.queue.length - 1, 0));
    state.item = null;
    closeReasons();
    const entry = state.queue[state.at];
    $("deck").hidden = !entry;
    if (entry) {
      const [of, item] = entry;
      const got = await Api.get("/api/item", { of, item, reviewer: state.reviewer });
      if (state.queue[state.at] !== entry) return; // another one was requested meanwhile
      state.item = got;
    }
    draw();
    remember();
  }

  /** Go to the next item; in the list of items to do, to the next one still to do. */
  async function advance() {
    let at = state.at + 1;
    while ($("shown").value === "todo" && at < state.queue.length && state.queue[at][2]) at += 1;
    if (at < state.queue.length) {
      await show(at);
      const elsewhere = $("shown").value === "todo" && state.item?.mine;
      if (elsewhere) {
        note(state.item.mine.decision); // in another window
        await advance();
      }
    } else if ($("shown").value === "todo") await load(null);
    else draw();
  }

  /** Update the counts and the current item's entry from the server's answer. */
  function note(decision) {
    const entry = state.queue[state.at];
    state.decided += Number(Boolean(decision)) - Number(Boolean(entry[2]));
    entry[2] = decision;
  }

  // -- drawing -------------------------------------------------------------------------------------------------

  function draw(editing) {
    const { item, session } = state;
    const list = state.view === "list";
    bar();
    $("open-list").setAttribute("aria-pressed", String(list));
    $("actions").hidden = list;
    $("many").hidden = !list;
    document.body.classList.toggle("listing", list);
    if (list) return;
    if (!item) {
      $("stage").replaceChildren(nothing());
      return;
    }
    const sample = session.kind === "sample";
    const shown = editing ? Views.editor(item, saveEdit, () => draw()) : sample ? Views.sample(item) : Views.instruction(item);
    const place = [state.q && `“${state.q}”`, state.reason && session.reasons[state.reason], `${state.at + 1} of ${state.queue.length}`].filter(Boolean).join(" · ");
    $("stage").className = sample ? "of-samples" : "of-instructions";
    $("stage").replaceChildren(...[Views.head(item, place), Views.stamps(item, session.reasons), shown].filter(Boolean));
    $("deck").hidden = Boolean(editing);
    Heard.follow($("stage"), `${item.of}/${item.item}/${item.seen}`, showHeard);
    for (const act of ["accept", "reject", "edit"]) $(act).setAttribute("aria-pressed", String(item.mine?.decision === act));
    $("previous").disabled = state.at === 0;
    $("next").disabled = state.at === state.queue.length - 1;
    if (!editing) {
      window.scrollTo(0, 0);
      $("stage").focus({ preventScroll: true });
    }
  }

  /** How much of the sample was heard; where listening is asked for, whether it can be accepted. */
  function showHeard() {
    $("stage").querySelector(".item-heard").textContent = Heard.words();
    $("accept").setAttribute("aria-disabled", String(!mayAccept()));
  }

  const mayAccept = () => !state.session.listen || Heard.none() || Heard.all();

  function bar() {
    const share = state.of ? state.decided / state.of : 0;
    $("bar").setAttribute("aria-valuemax", String(state.of));
    $("bar").setAttribute("aria-valuenow", String(state.decided));
    $("bar").setAttribute("aria-valuetext", `${state.decided} of ${state.of}`);
    $("count").replaceChildren(el("b", null, String(state.decided)), ` of ${state.of} `, el("span", { class: "word" }, "done"));
    $("bar-fill").style.width = `${100 * share}%`;
    document.title = `${state.decided}/${state.of} · ${state.session.name} · review`;
  }

  function nothing() {
    const mine = $("shown").value === "todo" && state.of > 0;
    const narrow = state.q || state.reason;
    const words = narrow ? "No item matches the search." : mine ? `You have decided all ${state.of}.` : state.of || !mine ? "No item matches." : "Nothing is assigned to you.";
    const to = (shown, label) => el("button", { class: "button", type: "button", onclick: () => pick("shown", shown) }, label);
    const all = el("button", { class: "button", type: "button", onclick: () => { Object.assign(state, { q: "", reason: "" }); guarded(() => load(null)); } }, "Without the search");
    return Views.empty(words, [narrow ? all : null, to("disagreed", "Where we disagree"), to("all", "Show all"), el("button", { class: "button", type: "button", onclick: openProgress }, "Progress")]);
  }

  function pick(filter, value) {
    $(filter).value = value;
    state.page = 0;
    guarded(() => (state.view === "list" ? Promise.all([count(), board.load(0)]).then(() => draw()) : load(null)));
  }

  // -- deciding ------------------------------------------------------------------------------------------------

  async function decide(decision, more) {
    const { item, reviewer } = state;
    if (!item) return;
    if (decision === "accept" && !mayAccept()) return toast("Hear all its clips to the end before you accept it (Space plays).");
    const known = { reviewer, of: item.of, item: item.item, seen: item.seen, decision, listened: Heard.all() };
    const after = await Api.post("/api/decide", { ...known, ...more });
    note(decision);
    state.undo.push(after.mine.id);
    closeReasons();
    const against = after.others.filter((o) => o.decision !== decision || o.text !== after.mine.text);
    const others = against.map((o) => `${o.reviewer} ${Views.said(o, state.session.reasons)}`).join(", ");
    const words = `You ${Views.said(after.mine, state.session.reasons)}`;
    state.item = after;
    await advance();
    const rule = after.mine.text && after.remark ? `Breaks a rule of the bank: ${after.remark}` : "";
    toast([words, others, rule].filter(Boolean).map((x) => `${x}.`).join(" "), true);
  }

  const saveEdit = (text) => {
    if (text === state.item.content.text) return draw();
    return guarded(() => decide("edit", { text }));
  };

  async function undo() {
    const last = state.undo.at(-1) ?? state.item?.mine?.id;
    if (!last) return toast("There is nothing to undo.");
    const back = await Api.post("/api/undo", { reviewer: state.reviewer, undoes: last });
    state.undo.pop();
    if (state.view === "list" || back.revoked > 1) {
      await (state.view === "list" ? Promise.all([count(), board.load()]) : load(null));
      draw();
      return toast(back.revoked > 1 ? `${back.revoked} decisions taken back.` : "Taken back.");
    }
    const at = state.queue.findIndex(([of, item]) => of === back.of && item === back.item);
    if (at < 0) await load(`${back.of}/${back.item}`);
    else {
      await show(at);
      note(state.item.mine?.decision ?? "");
      draw();
    }
    toast("Taken back.");
  }

  function openReasons() {
    if (!state.item && state.view !== "list") return;
    $("reasons").hidden = false;
    document.body.classList.add("rejecting");
    for (const chip of $("chips").children) chip.setAttribute("aria-pressed", "false");
    $("note").placeholder = "Note (optional)";
    $("send-reject").firstChild.textContent = state.view === "list" ? `${$("reject-many").textContent} ` : "Reject ";
    $("reasons").focus();
  }

  function closeReasons() {
    $("reasons").hidden = true;
    $("note").value = "";
    document.body.classList.remove("rejecting");
  }

  /** A reason rejects at once; "something else" needs a note. */
  function reason(code) {
    for (const chip of $("chips").children) chip.setAttribute("aria-pressed", String(chip.dataset.reason === code));
    const words = $("note").value.trim();
    if (code === "other" && !words) {
      $("note").placeholder = "What is it?";
      $("note").focus();
      return;
    }
    const why = { reason: code, note: words };
    if (state.view === "list") board.many("reject", why);
    else guarded(() => decide("reject", why));
  }

  function sendReject() {
    const chosen = [...$("chips").children].find((c) => c.getAttribute("aria-pressed") === "true");
    reason(chosen?.dataset.reason ?? "other");
  }

  // -- listening -----------------------------------------------------------------------------------------------

  let heard = 0; // the clip that is playing or was played last

  function listen() {
    const players = [...$("stage").querySelectorAll(".player")].filter((p) => !p.querySelector("button").disabled);
    const clips = players.map((p) => p.querySelector("audio"));
    const playing = clips.findIndex((c) => !c.paused);
    if (playing >= 0) heard = playing;
    else {
      const begun = clips.findIndex((c) => c.currentTime > 0 && !c.ended);
      const ended = clips.findLastIndex((c) => c.ended);
      heard = begun >= 0 ? begun : (ended + 1) % (clips.length || 1);
    }
    players[heard]?.querySelector("button").click();
  }

  // -- telling -------------------------------------------------------------------------------------------------

  let fading = 0;

  function toast(words, undoable, bad) {
    clearTimeout(fading);
    $("toast-text").textContent = words;
    $("undo").hidden = !undoable;
    $("toast").classList.toggle("bad", Boolean(bad));
    $("toast").hidden = false;
    fading = setTimeout(hideToast, bad ? 12000 : 7000);
  }

  const hideToast = () => ($("toast").hidden = true);

  async function openProgress() {
    Sheets.open($("progress"), Sheets.progress(await Api.get("/api/progress"), state.session));
  }

  /** Run one action at a time; on an error show it and leave the page unchanged. */
  async function guarded(action) {
    if (state.busy) return;
    state.busy = true;
    document.body.setAttribute("aria-busy", "true");
    try {
      await action();
    } catch (error) {
      if (error.more?.name) return askName(`${error.message}.`);
      if (error.status === 409) await (state.view === "list" ? board.load() : load(address().get("item"))).catch(() => {});
      toast(error.status ? `Not done: ${error.message}.` : "Not saved: the server does not answer. Try again.", false, true);
      if (error.status === undefined && !(error instanceof TypeError)) throw error;
    } finally {
      state.busy = false;
      document.body.removeAttribute("aria-busy");
    }
  }

  // -- keys and buttons ----------------------------------------------------------------------------------------

  const openKeys = () => Sheets.open($("keys"), Sheets.keys(state.session.kind === "sample", state.session.guidelines));
  const openMe = () => Sheets.open($("me"), Names.about(state.reviewer, () => guarded(changeName)));

  const board = Board({ state, asked, guarded, toast, remember, count: () => count().then(bar), closeReasons, open: (row) => guarded(() => load(`${row.of}/${row.item}`)) });

  /** Go to the list, or from it back to the item. */
  async function toggleList() {
    closeReasons();
    if (state.view === "list") return load(address().get("item"));
    await board.show();
    draw();
    $("stage").focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }

  async function search() {
    if (state.view !== "list") await toggleList();
    $("q").focus();
    $("q").select();
  }

  const step = (by) => () => guarded(() => show(state.at + by));
  const edit = () => state.item && state.session.kind === "instruction" && draw(true);
  const ACTS = {
    accept: () => guarded(() => decide("accept")),
    reject: openReasons,
    edit,
    listen,
    previous: step(-1),
    next: step(1),
    undo: () => guarded(undo),
    "open-progress": () => guarded(openProgress),
    "open-keys": openKeys,
    "open-list": () => guarded(toggleList),
    "open-guide": () => state.session.guidelines && guarded(Guide.toggle),
    search: () => guarded(search),
    "accept-many": () => board.many("accept"),
    "reject-many": openReasons,
    who: openMe,
    "send-reject": sendReject,
    "cancel-reject": () => { closeReasons(); $("stage").focus({ preventScroll: true }); },
  };
  const KEYS = {
    a: "accept", r: "reject", e: "edit", u: "undo", l: "listen", " ": "listen", p: "open-progress", "?": "open-keys",
    f: "open-list", g: "open-guide", "/": "search",
    arrowleft: "previous", k: "previous", arrowright: "next", j: "next",
  };

  function onKey(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || document.querySelector("dialog[open]")) return;
    if (!state.reviewer || $("top").hidden) return;
    const field = e.target.closest("input, textarea, select");
    if (!$("reasons").hidden) {
      const chip = $("chips").children[Number(e.key) - 1];
      if (e.key === "Escape") ACTS["cancel-reject"]();
      else if (field?.id === "note") return void (e.key === "Enter" && sendReject());
      else if (chip) reason(chip.dataset.reason);
      else if (e.key === "Enter" && !e.target.closest("button")) sendReject();
      else return;
      return e.preventDefault();
    }
    if (field && !(field.type === "range" && !e.key.startsWith("Arrow"))) return void (e.key === "Escape" && field.blur());
    if (e.key === " " && e.target.closest("button, summary, a")) return; // the browser activates the focused element
    if (["<", ">"].includes(e.key)) return void IEAT.clipKey(e, $("stage"));
    const act = KEYS[e.key.toLowerCase()];
    const ofItem = ["accept", "reject", "edit", "listen", "previous", "next"].includes(act);
    if (!act || $(act)?.disabled || (ofItem && ($("deck").hidden || state.view === "list"))) return;
    e.preventDefault();
    if (!e.repeat || ["previous", "next"].includes(act)) ACTS[act]();
  }

  function options(id, all, values) {
    $(id).replaceChildren(...[all ? [["", all]] : [], values].flat().map(([value, label]) => el("option", { value }, label)));
    const before = address().get(id);
    if (values.some(([v]) => v === before)) $(id).value = before;
    $(id).closest("label").hidden = values.length < 2;
  }

  async function start() {
    const session = (state.session = await Api.session());
    $("name").textContent = session.name;
    $("edit").hidden = session.kind === "sample";
    $("listen").hidden = session.kind !== "sample";
    options("shown", null, Object.entries(session.shown));
    options("task", "All tasks", session.tasks.map((t) => [t, t]));
    options("language", "All languages", session.languages.map((l) => [l, { en: "English", zh: "Chinese" }[l] ?? l]));
    for (const f of FILTERS) $(f).addEventListener("change", () => { $(f).blur(); pick(f, $(f).value); });
    $("chips").replaceChildren(
      ...Object.entries(session.reasons).map(([code, label], i) =>
        el("button", { class: "chip", type: "button", "aria-pressed": "false", dataset: { reason: code }, onclick: () => reason(code) }, el("kbd", null, String(i + 1)), label),
      ),
    );
    for (const [id, act] of Object.entries(ACTS)) $(id)?.addEventListener("click", act);
    for (const sheet of document.querySelectorAll("dialog")) sheet.addEventListener("click", (e) => e.target === sheet && sheet.close());
    $("filters").addEventListener("submit", (e) => e.preventDefault());
    document.addEventListener("keydown", onKey);
    const kept = address();
    Object.assign(state, { q: kept.get("q") ?? "", reason: kept.get("reason") ?? "", page: Number(kept.get("page") ?? 0) || 0, view: kept.has("page") ? "list" : "item" });
    const reviewer = sessionStorage.getItem("reviewer");
    if (reviewer && Names.token(reviewer)) await Names.take(reviewer).then(() => begin(reviewer), (error) => askName(`${error.message}.`));
    else askName();
    if (session.faults.length) toast(session.faults[0], false, true);
  }

  start().catch((error) => {
    history.replaceState(null, "", location.pathname);
    $("stage").replaceChildren(Views.empty(error.status === 401 ? "Open the link with the token that the command printed." : `The server does not answer (${error.message}).`, []));
  });
})();
