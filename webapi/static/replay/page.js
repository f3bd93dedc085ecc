"use strict";

const $ = (id) => document.getElementById(id);
const call = JSON.parse($("data").textContent);
call.peaks = { caller: bytes(call.peaks.caller), bot: bytes(call.peaks.bot) };

const view = new View(call.seconds);
const picture = new Picture(call, view, $("picture"), $("overview"));
const player = new Player($("mix"), call.seconds, { moved, changed });
const marks = new Marks(call, view, $("marks"), $("tip"), (t) => player.seek(t));
let drawn = 0; // of the next redraw
const MAX_PARTS = 8; // that have a colour; an orchestrator may give each of its marks another name
const partNames = [...new Set(call.turns.flatMap((turn) => turn.parts.map((part) => part.name)))].slice(0, MAX_PARTS);
const longestWait = Math.max(1, ...call.turns.map((turn) => turn.wait_ms ?? 0));

function bytes(text) {
  return Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
}

function element(tag, text = "", name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}

/** 1:05.3 */
function clock(t) {
  const tenths = Math.floor(t * 10 + 1e-6);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return `${clockHead(tenths / 10)}:${rest}`;
}

function ms(value) {
  return value === null ? "–" : `${Math.round(value)} ms`;
}

// ---------------------------------------------------------------- what changes

function redraw() {
  cancelAnimationFrame(drawn);
  drawn = requestAnimationFrame(() => {
    view.width = $("stage").clientWidth;
    picture.draw();
    marks.draw();
    place();
    $("out").disabled = $("whole").disabled = view.span > view.total - 1e-6;
    $("in").disabled = view.span <= 0.5;
  });
}

function place() {
  const x = view.x(player.at);
  $("cursor").hidden = x < -1 || x > view.width + 1;
  $("cursor").style.transform = `translateX(${x}px)`;
}

/** The turn that is being spoken or answered at a time, -1 before the first. */
function turnAt(t) {
  return call.turns.findLastIndex((turn) => turn.start <= t + 1e-6);
}

function inWords(t) {
  const within = (spans) => spans.find((span) => span[0] <= t && t < span[1]);
  const [speech, playback, filler] = [within(call.speech), within(call.playback), within(call.fillers)];
  const said = [speech && `caller speaks, turn ${speech[2]}`, playback && `bot speaks, turn ${playback[2]}`, !playback && filler && `bot fills the wait, turn ${filler[2]}`].filter(Boolean);
  return `${t.toFixed(1)} of ${call.seconds.toFixed(1)} seconds, ${said.join(", ") || "silence"}`;
}

let [lastTurn, lastWords] = [-1, -1];
function moved() {
  if (view.show(player.at, player.playing)) redraw();
  place();
  $("now").textContent = clock(player.at);
  const turn = turnAt(player.at);
  if (turn !== lastTurn) {
    $("turn-rows").rows[lastTurn]?.classList.remove("on");
    $("turn-rows").rows[turn]?.classList.add("on");
    lastTurn = turn;
  }
  const words = Math.floor(player.at * (player.playing ? 1 : 10));
  if (words === lastWords) return; // a screen reader needs no more than a word a second
  lastWords = words;
  $("position").setAttribute("aria-valuenow", player.at.toFixed(1));
  $("position").setAttribute("aria-valuetext", inWords(player.at));
}

function changed() {
  document.body.dataset.playing = player.playing;
  $("play").textContent = player.playing ? "Pause" : "Play";
  $("play").disabled = !player.usable;
  if (!player.usable && call.audio !== "none") {
    tell(call.audio === "beside" ? "mix.wav is not beside this page, so there is nothing to hear." : "This browser can't play the mix.");
  }
}

function tell(words) {
  $("note").textContent = words;
  $("note").hidden = false;
}

function zoom(factor, t = player.at) {
  view.zoom(factor, t >= view.start && t <= view.end ? t : view.start + view.span / 2);
  redraw();
}

/** To the next event, or the one before; those at the same moment are one. */
function step(way) {
  const found = way > 0
    ? call.events.find((event) => event.t > player.at + 1e-4)
    : call.events.findLast((event) => event.t < player.at - 1e-4);
  if (found) visit(found);
}

/** Go to an event, show its fields, and say it. */
function visit(event) {
  player.seek(event.t);
  const now = call.events.filter((each) => each.t === event.t);
  $("said").textContent = `${now.map((each) => `${eventAbout(each).words}, turn ${each.turn_index}`).join("; ")}, at ${event.t.toFixed(2)} seconds`;
  requestAnimationFrame(() => requestAnimationFrame(() => { // after a redraw
    const group = marks.groups.find((each) => each.events.includes(event));
    if (group) marks.show(group);
  }));
}

// ---------------------------------------------------------------- what is there from the start

function fill() {
  document.title = `${call.name}: timeline`;
  $("name").textContent = call.name;
  $("about").textContent = call.about;
  $("length").textContent = `of ${clock(call.seconds)}`;
  $("position").setAttribute("aria-valuemax", call.seconds.toFixed(1));
  for (const [name, value] of call.figures) {
    const figure = element("div");
    figure.append(element("dt", name), element("dd", value));
    $("figures").append(figure);
  }
  $("no-turns").hidden = call.turns.length > 0;
  $("turn-rows").append(...call.turns.map(turnRow));
  $("words").hidden = call.words.length === 0;
  $("word-rows").append(...call.words.map(wordsRow));
  $("legend").querySelector(".wait").before(...rareLetters());
  $("parts").append(...partNames.map(partLegend));
  $("event-rows").append(...call.events.map(eventRow));
  $("channel").hidden = call.audio !== "inside";
  if (call.audio === "beside") {
    tell(`This call's mix is too long to be inside the page (${call.megabytes} MB). It is played from mix.wav beside it: keep the two together. `);
    const link = element("a", "Open mix.wav");
    link.href = "mix.wav";
    $("note").append(link);
  }
  if (call.audio === "none") tell("There is no audio in this recording.");
}

function turnRow(turn) {
  const row = element("tr");
  const head = element("th");
  head.scope = "row";
  const button = element("button", turn.turn);
  button.type = "button";
  button.setAttribute("aria-label", `Turn ${turn.turn}, go to ${turn.start.toFixed(1)} seconds`);
  head.append(button, element("span", clock(turn.start)));
  const [outcome, good] = [element("td"), turn.outcome === "completed"];
  outcome.append(element("span", `${turn.prompt ? "prompt " : ""}${turn.outcome.replace("_", " ") || "open"}`, `badge ${good ? "good" : "cut"}`));
  row.append(head, outcome, element("td", ms(turn.said_ms)), waitCell(turn), element("td", ms(turn.reply_ms), "strong"));
  row.append(element("td", ms(turn.heard_ms)), element("td", ms(turn.stop_ms), "strong"));
  row.addEventListener("click", () => player.seek(turn.start));
  return row;
}

/** The wait and, as a bar, its parts. All bars have the same scale. */
function waitCell(turn) {
  const cell = element("td", ms(turn.wait_ms), "wait");
  if (!turn.parts.length) return cell;
  const bar = element("span", "", "bar");
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", turn.parts.map((part) => `${part.name} ${ms(part.ms)}`).join(", "));
  for (const part of turn.parts) {
    const piece = element("i", "", partClass(part.name));
    piece.style.width = `${(part.ms / longestWait) * 100}%`;
    piece.title = `${part.name}: ${ms(part.ms)}${part.owner ? `, ${part.owner}` : ""}${part.setting ? `, changed by ${part.setting}` : ""}`;
    bar.append(piece);
  }
  cell.append(bar);
  return cell;
}

function partClass(name) {
  const at = partNames.indexOf(name);
  return at < 0 ? "rest" : `part${at}`;
}

/** Of the legend: the letters that few calls have, where this one has them. */
function rareLetters() {
  const told = new Set([...$("legend").querySelectorAll("b")].map((each) => each.textContent).concat("■")); // ■ ends a playback
  const rare = new Map(call.events.map(eventAbout).filter((each) => each.letter && !told.has(each.letter)).map((each) => [each.letter, each]));
  return [...rare.values()].map(({ letter, words, colour }) => {
    const line = element("li", "", colour);
    line.append(element("b", letter), words[0].toLowerCase() + words.slice(1));
    return line;
  });
}

function partLegend(name) {
  const line = element("li");
  const part = call.turns.flatMap((turn) => turn.parts).find((each) => each.name === name);
  line.append(element("i", "", partClass(name)), element("span", part.setting ? `${name} (${part.setting})` : name));
  return line;
}

/** What one side said in a turn; what nobody heard is struck through. */
function wordsRow({ start, turn, side, heard, unheard, cut }) {
  const [line, button, said] = [element("li"), element("button", "", side), element("span", heard, "said")];
  button.type = "button";
  if (unheard) said.append(heard ? " " : "", element("s", unheard));
  else if (cut) said.append(element("span", " (cut off)", "cut"));
  button.append(element("span", clock(start), "t"), element("b", side), said, element("span", `turn ${turn}`, "turn"));
  button.addEventListener("click", () => player.seek(start));
  line.append(button);
  return line;
}

/** What stands in the list of events: of words and marks, which ones. */
function inList(event, about) {
  if (event.event === "transcript") return `${event.speaker === "bot" ? "Bot" : "Caller"}: ${event.text}`;
  if (event.event === "heard_text") return `Heard: ${event.text || "nothing"}`;
  if (event.event === "dtmf") return `${about.words}: ${event.digit}`;
  return event.event === "mark" ? `Mark: ${event.mark}` : about.words;
}

function eventRow(event) {
  const about = eventAbout(event);
  const [line, button] = [element("li"), element("button", "", about.colour)];
  button.type = "button";
  button.append(element("span", `${event.t.toFixed(3)} s`, "t"), element("span", inList(event, about), "what"), element("span", `turn ${event.turn_index}`, "turn"));
  button.addEventListener("click", () => visit(event));
  line.append(button);
  return line;
}

// ---------------------------------------------------------------- mouse, finger, keys

function drag(host, act) {
  host.addEventListener("pointerdown", (e) => {
    if (e.button) return;
    host.setPointerCapture(e.pointerId);
    act(e.offsetX);
  });
  host.addEventListener("pointermove", (e) => host.hasPointerCapture(e.pointerId) && act(e.offsetX));
}

const KEYS = {
  " ": () => player.toggle(),
  ArrowLeft: (e) => player.seek(player.at - (e.shiftKey ? 10 : 1)),
  ArrowRight: (e) => player.seek(player.at + (e.shiftKey ? 10 : 1)),
  Home: () => player.seek(0),
  End: () => player.seek(call.seconds),
  n: () => step(1),
  p: () => step(-1),
  "+": () => zoom(0.5),
  "=": () => zoom(0.5),
  "-": () => zoom(2),
  0: () => zoom(Infinity),
  Escape: () => marks.hide(),
};

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || !KEYS[e.key]) return;
  const on = e.target.closest("button, input, a, .scroll");
  if (on && (e.key === " " || (on.matches("input, .scroll") && e.key.length > 1))) return; // they have a meaning there
  e.preventDefault();
  KEYS[e.key](e);
});

// Who clicks goes on with the keys of the timeline; who uses the keyboard stays where they are.
document.addEventListener("click", (e) => e.detail && e.target.closest("#line button, tbody tr, #event-rows button, #word-rows button") && $("position").focus({ preventScroll: true }));

drag($("position"), (x) => player.seek(view.t(x)));
drag($("overview"), (x) => {
  const t = (x / $("overview").clientWidth) * view.total;
  if (t < view.start || t > view.end) view.set(t - view.span / 2, view.span);
  player.seek(t);
  redraw();
});
$("stage").addEventListener("wheel", (e) => {
  const sideways = e.shiftKey ? e.deltaY || e.deltaX : e.deltaX;
  if (e.ctrlKey || e.metaKey) zoom(Math.exp(e.deltaY / 300), view.t(e.clientX - $("stage").getBoundingClientRect().left));
  else if (sideways) view.set(view.start + (sideways / view.width) * view.span, view.span);
  else return;
  e.preventDefault();
  redraw();
}, { passive: false });
$("play").addEventListener("click", () => player.toggle());
$("in").addEventListener("click", () => zoom(0.5));
$("out").addEventListener("click", () => zoom(2));
$("whole").addEventListener("click", () => zoom(Infinity));
$("channel").addEventListener("change", (e) => player.hear(e.target.value));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  picture.style();
  redraw();
});

fill();
view.width = $("stage").clientWidth;
view.set(0, Math.max(20, view.width / 25)); // no more than can be read; a short call is seen whole
changed();
moved();
new ResizeObserver(redraw).observe($("stage"));
redraw();
document.body.dataset.ready = "true";
