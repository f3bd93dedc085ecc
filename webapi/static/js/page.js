"use strict";

const LOOK_MS = 20; // how often levels are measured
const ROWS_KEPT = 100; // of turns and of events
const FLASH_MS = 2500; // how long a barge-in stays lit
const WORDS = ["transcript", "heard_text"]; // these are in the conversation, and not in the list of events
const LAST_SOUND_MS = 500; // after the bot hung up; the end of its last words is still on its way

const app = byId("app");
const fields = { room: byId("room"), url: byId("url"), token: byId("token") };
const conversation = new Conversation();
const timeline = new Timeline(byId("timeline"), conversation);
const talk = new Talk(byId("talk-rows"));
const wait = new Wait({ median: byId("median-wait"), last: byId("last-wait"), bar: byId("wait-bar"), parts: byId("wait-parts"), empty: byId("no-wait") });
const replies = []; // ms from the end of speech to the bot's first audio, of all turns that had any
let call = null;
let attempt = 0;
let fromNode = null; // the values that the node gave for the fields
let botOfLink = ""; // the bot's identity, where the address gave it
let peak = 0;
let flash = 0;

// ---------------------------------------------------------------- messages to the user

/** Tell what is new. After the bot hung up nothing is. */
function news(text) {
  setText(byId("news"), conversation.hungUp === null ? text : `The bot hung up${conversation.hungUp ? `: ${conversation.hungUp}` : "."}`);
}

/** Show a Trouble, also to screen readers, until the next one or until it is over. */
function complain(trouble) {
  if (!(trouble instanceof Trouble)) trouble = new Trouble("page-failed", trouble && trouble.message);
  app.dataset.error = trouble.code;
  byId("alert").replaceChildren(element("strong", trouble.what), document.createTextNode(" " + trouble.todo));
}

/** Remove the Trouble that is shown: it is over. */
function allWell() {
  app.dataset.error = "";
  byId("alert").replaceChildren();
}

// ---------------------------------------------------------------- reports of the call

const on = {
  call(state, trouble = null) {
    const before = app.dataset.call;
    app.dataset.call = state;
    if (state === "joined") conversation.me = call?.identity ?? null;
    showButtons(state);
    if (state === "joining") news(`Joining ${fields.room.value}…`);
    if (state === "reconnecting") news("The connection to the server is lost. Reconnecting…");
    if (state === "joined") news(before === "reconnecting" ? "Reconnected." : `Joined ${fields.room.value}.`);
    if (state === "idle") ended(before, trouble);
    showState();
  },
  bot(present) {
    app.dataset.bot = present ? "present" : "absent";
    if (!present) conversation.botLeft(performance.now());
    if (app.dataset.call === "joined") news(present ? "The bot is here." : "The bot has left the room. Does voice-node still run?");
    showState();
  },
  mic(state, trouble = null) {
    const before = app.dataset.mic;
    app.dataset.mic = state;
    const words = { muted: "Unmute", failed: "Turn microphone on" };
    setText(byId("mic"), words[state] || "Mute");
    byId("mic").hidden = ["off", "refused"].includes(state);
    if (state === "muted") news("Microphone muted.");
    if (state === "on" && ["muted", "failed", "refused"].includes(before)) news("Microphone on.");
    if (state === "on" && app.dataset.error.startsWith("mic-")) allWell();
    if (state === "refused") news("This token lets you listen, not speak.");
    if (state === "failed") complain(trouble);
    showState();
  },
  audio(state) {
    app.dataset.audio = state;
    byId("blocked").hidden = state !== "blocked";
  },
  message(message) {
    const now = performance.now();
    const heardBefore = conversation.listeningTo;
    const hungUpBefore = conversation.hungUp;
    conversation.take(message, now);
    app.dataset.turns = conversation.turns;
    app.dataset.bargeIns = conversation.bargeIns;
    if (message.event === "turn") addTurn(message);
    else if (!WORDS.includes(message.event)) addEvent(message);
    showWords(message);
    if (message.event === "barge_in") flash = now + FLASH_MS;
    if (message.event === "listening_to") toldWhoIsHeard(heardBefore);
    if (message.event === "not_heard") toldNotHeard(message);
    if (conversation.hungUp !== hungUpBefore) hangUp();
    showState();
  },
  trouble: complain,
  news,
};

function ended(before, trouble) {
  conversation.botLeft(performance.now());
  flash = 0;
  on.mic("off");
  on.audio("none");
  app.dataset.bot = "absent";
  if (conversation.hungUp !== null) trouble = null; // the server has removed the caller, because the bot hung up
  if (trouble) complain(trouble);
  const left = before === "joined" || before === "reconnecting";
  news(left && !trouble ? "You left the room." : "Not in a call");
}

function toldWhoIsHeard(before) {
  const heard = conversation.listeningTo;
  if (heard === conversation.me && app.dataset.error === "not-heard") allWell();
  if (heard && heard !== conversation.me) news(`The bot is listening to ${heard}, not to you: it hears one caller at a time.`);
  else if (heard) news("The bot is listening to you.");
  else if (before) news(`The bot no longer listens to ${before === conversation.me ? "you" : before}.`);
}

function toldNotHeard({ identity, reason }) {
  const who = typeof identity === "string" ? identity.slice(0, 60) : "a participant";
  if (identity === conversation.me) complain(new Trouble("not-heard", String(reason).slice(0, 60)));
  else news(`The bot can't hear ${who}${reason === "encrypted" ? ": the audio is encrypted end to end" : ""}.`);
}

/** The bot has ended the call: leave the room, when its last words have been heard. */
function hangUp() {
  const ended = call;
  news();
  setTimeout(() => ended?.leave().catch(complain), LAST_SOUND_MS);
}

// ---------------------------------------------------------------- display

function showWords(message) {
  const other = conversation.listeningTo && conversation.listeningTo !== conversation.me;
  if (talk.take(message, other ? conversation.listeningTo.slice(0, 60) : "You")) byId("talk-legend").hidden = false;
  if (talk.lines.size) app.dataset.words = "";
  byId("no-talk").hidden = talk.lines.size > 0;
}

/** Show what is there now. May be called at any time. */
function showState() {
  const { call: state, bot, mic } = app.dataset;
  const now = stateOf({ ...conversation, call: state, bot: bot === "present", mic, others: call ? call.others : [] });
  setData("state", now.state);
  setData("heard", now.heard);
  setText(byId("state"), now.word);
  setText(byId("hint"), now.hint);
}

function showButtons(state) {
  const idle = state === "idle";
  const focused = document.activeElement;
  byId("join").hidden = !idle;
  byId("leave").hidden = idle;
  byId("leave").textContent = state === "joining" ? "Cancel" : "Leave";
  for (const field of Object.values(fields)) field.readOnly = !idle;
  if (focused === byId("join") && !idle) byId("leave").focus(); // the focused button is hidden: its successor gets the focus
  if ((focused === byId("leave") || focused === byId("mic")) && idle) byId("join").focus();
}

function showFrame() {
  const now = performance.now();
  timeline.draw(now);
  const lit = now < flash;
  app.toggleAttribute("data-barged", lit);
  const barge = lit ? (app.dataset.heard === "other" ? "Barge-in: the bot stopped" : "Barge-in: the bot stopped for you") : conversation.bargeIns ? `${conversation.bargeIns} barge-in${conversation.bargeIns > 1 ? "s" : ""} so far` : "No barge-in yet";
  setText(byId("barge"), barge);
  requestAnimationFrame(showFrame);
}

function look() {
  if (call) call.look();
  showState();
  const now = performance.now();
  const { caller, bot } = call && app.dataset.call !== "idle" ? call.levels() : { caller: 0, bot: 0 };
  peak = Math.max(peak, bot);
  timeline.add(now, caller, bot);
  app.dataset.callerLevel = caller.toFixed(4);
  app.dataset.botLevel = bot.toFixed(4);
  app.dataset.botPeak = peak.toFixed(4);
  app.style.setProperty("--caller-level", height(caller).toFixed(3));
  app.style.setProperty("--bot-level", height(bot).toFixed(3));
}

/** The levels as text for screen readers; updated seldom, as they may read out each change. */
function tellLevels() {
  for (const [id, level] of [["caller-meter", app.dataset.callerLevel], ["bot-meter", app.dataset.botLevel]]) {
    const db = Math.round(decibels(Number(level)));
    byId(id).setAttribute("aria-valuenow", db);
    byId(id).setAttribute("aria-valuetext", db <= SILENT_DB ? "silent" : `${db} decibels`);
  }
}

function setData(name, value) {
  if (app.dataset[name] !== value) app.dataset[name] = value;
}

function addTurn(turn) {
  const reply = turn.latency_speech_end_to_first_bot_chunk_ms;
  const outcome = typeof turn.outcome === "string" ? turn.outcome.slice(0, 20) : "?";
  const row = document.createElement("tr");
  const number = element("th", Number.isInteger(turn.turn_index) ? turn.turn_index : "?");
  number.scope = "row";
  const badge = document.createElement("td");
  badge.append(element("span", `${typeof turn.prompt === "string" ? "prompt " : ""}${outcome.replace(/_/g, " ")}`, `badge ${outcome === "completed" ? "good" : outcome === "barged_in" ? "cut" : "other"}`));
  row.append(number, badge, element("td", ms(turn.caller_wait_ms), "strong"), element("td", ms(reply)), element("td", ms(turn.latency_user_to_first_bot_chunk_ms)),
    element("td", secondsOf(turn.vad_speech_ms)), element("td", secondsOf(turn.heard_ms)), element("td", ms(turn.barge_in_stop_ms)));
  byId("turn-rows").prepend(row);
  while (byId("turn-rows").children.length > ROWS_KEPT) byId("turn-rows").lastChild.remove();
  byId("no-turns").hidden = true;
  wait.take(turn);
  if (Number.isFinite(reply)) replies.push(reply);
  setText(byId("last-reply"), ms(replies[replies.length - 1]));
  setText(byId("median-reply"), ms(median(replies)));
  if (Number.isFinite(turn.barge_in_stop_ms)) setText(byId("last-stop"), ms(turn.barge_in_stop_ms));
}

function addEvent(message) {
  const name = message.event.slice(0, 40);
  const row = document.createElement("li");
  const detail = [message.prompt, message.outcome, message.reason, message.detail, message.identity, message.mark, message.digit].filter((part) => typeof part === "string" && part);
  if (name === "listening_to" && message.identity === null) detail.push("nobody");
  if (Number.isFinite(message.heard_ms)) detail.push(`${secondsOf(message.heard_ms)} heard`);
  row.dataset.event = name;
  row.append(element("span", Number.isFinite(message.t) ? `${message.t.toFixed(2)} s` : "", "time"), element("span", (EVENTS[name] || ["", name])[1], "what"));
  if (detail.length) row.append(element("span", detail.join(", ").slice(0, 160).replace(/_/g, " "), "detail"));
  if (name === "message_sent") row.append(element("code", (JSON.stringify(message.message) ?? "").slice(0, 160), "detail"));
  byId("event-rows").prepend(row);
  while (byId("event-rows").children.length > ROWS_KEPT) byId("event-rows").lastChild.remove();
  byId("no-events").hidden = true;
}

// ---------------------------------------------------------------- actions of the user

async function join() {
  const mine = (attempt += 1); // an attempt that was cancelled reports nothing
  conversation.hungUp = null;
  allWell();
  on.call("joining");
  try {
    await freshToken();
    const given = { url: fields.url.value.trim(), room: fields.room.value.trim(), token: fields.token.value.trim() };
    checkFields(given);
    const sdk = await loadSdk();
    if (mine !== attempt) return;
    startAfresh();
    call = new Call(sdk, on, botIdentity());
    await call.join(given.url, given.token);
  } catch (trouble) {
    if (mine !== attempt) return;
    if (app.dataset.call !== "idle") on.call("idle");
    if (trouble) complain(trouble);
    focusField(trouble && trouble.code);
  }
}

/** Clear turns and events for a new call. */
function startAfresh() {
  conversation.reset();
  talk.reset();
  wait.reset();
  replies.length = peak = 0;
  for (const id of ["turn-rows", "event-rows"]) byId(id).replaceChildren();
  for (const id of ["no-turns", "no-events", "no-talk"]) byId(id).hidden = false;
  byId("talk-legend").hidden = true;
  for (const id of ["last-reply", "median-reply", "last-stop"]) byId(id).textContent = "–";
  app.dataset.turns = app.dataset.bargeIns = 0;
}

/** Get a new token from the node where the user has not changed the fields: a token is valid for ten minutes. */
async function freshToken() {
  const untouched = fromNode && fromNode.token && Object.keys(fields).every((name) => fields[name].value === fromNode[name]);
  if (untouched) fill(await askNode());
}

function fill(config) {
  if (!config) return;
  fromNode = { url: config.url, room: config.room, token: config.token || "", bot: config.bot || "" };
  for (const [name, field] of Object.entries(fields)) field.value = fromNode[name];
  const hint = config.token ? `Filled in by the node on this machine: you are ${config.identity}.` : "This node gives out tokens on its own machine only. Make one there: voice-node token --identity me";
  setText(byId("token-hint"), hint);
}

/** The bot's identity: from the link, or from the node while the fields still name its room; "" where it is not known. */
function botIdentity() {
  const ofNode = fromNode && ["url", "room"].every((name) => fields[name].value === fromNode[name]);
  return botOfLink || (ofNode ? fromNode.bot : "");
}

function focusField(code) {
  const field = { url: fields.url, room: fields.room, token: fields.token }[String(code).split("-")[0]];
  if (field) field.focus();
}

byId("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (app.dataset.call === "idle") join();
});
byId("leave").addEventListener("click", () => {
  attempt += 1;
  if (call) call.leave().catch(complain);
  if (app.dataset.call === "joining") on.call("idle");
});
byId("mic").addEventListener("click", () => call.microphone.turn(["muted", "failed"].includes(app.dataset.mic)).catch(complain));
byId("hear").addEventListener("click", () => call.hear().catch(complain));

async function begin() {
  setInterval(look, LOOK_MS);
  setInterval(tellLevels, 500);
  requestAnimationFrame(showFrame);
  const { bot, ...given } = takeFragment();
  botOfLink = bot;
  if (!given.token) fill(await askNode());
  for (const [name, value] of Object.entries(given)) if (value) fields[name].value = value;
  if (!fields.url.value) fields.url.value = "ws://localhost:7880";
  if (!fields.room.value) fields.room.value = "demo";
  app.dataset.ready = "";
  await loadSdk().catch(complain); // now, so that Join is quick
}

begin().catch(complain);
