"use strict";

/** What the events are called; row: 0 what the caller did, 1 what silenced the bot, 2 the bot's. `small`: a dot, no letter. */
const EVENTS = {
  speech_started: { letter: "S", words: "Speech started", row: 0, colour: "caller" },
  speech_ended: { letter: "E", words: "Speech ended", row: 0, colour: "caller" },
  barge_in: { letter: "B", words: "Barge-in", row: 1, colour: "cut" },
  superseded: { letter: "U", words: "Went on: reply dropped unheard", row: 1, colour: "cut" },
  prompted: { letter: "A", words: "The bot speaks of its own accord", row: 0, colour: "bot" },
  filler_started: { letter: "F", words: "Filler started: the reply is late", row: 2, colour: "bot" },
  playback_started: { letter: "▸", words: "Playback started", row: 2, colour: "bot" },
  playback_paused: { letter: "Ⅱ", words: "Playback halted", row: 2, colour: "bot" },
  playback_resumed: { letter: "▸", words: "Playback goes on", row: 2, colour: "bot" },
  playback_ducked: { letter: "V", words: "Playback is soft: a voice", row: 2, colour: "bot" },
  playback_restored: { letter: "L", words: "Playback is loud again", row: 2, colour: "bot" },
  playback_ended: { letter: "■", words: "Playback ended", row: 2, colour: "bot" },
  reply_started: { words: "Reply asked for", row: 2, colour: "bot" },
  llm_request_done: { words: "Language model is done", row: 2, colour: "bot" },
  tts_first_chunk: { words: "Reply's first audio is made", row: 2, colour: "bot" },
  uninterruptible: { words: "To be heard to its end", row: 2, colour: "bot" },
  reply_ended: { words: "Reply made to its end", row: 2, colour: "bot" },
  reply_cut: { words: "Reply cancelled", row: 2, colour: "cut" },
  frames_dropped: { words: "Late audio dropped", row: 2, colour: "cut" },
  transcript: { words: "Words", row: 2, colour: "bot" },
  heard_text: { words: "Words that were heard", row: 2, colour: "bot" },
  mark: { words: "Mark of the orchestrator", row: 2, colour: "bot" },
  message_sent: { words: "Message to the room", row: 2, colour: "bot" },
  dtmf: { letter: "D", words: "Key pressed", row: 0, colour: "caller" },
  hung_up: { letter: "G", words: "The bot hung up", row: 0, colour: "bot" },
  hook_failed: { words: "The orchestrator raised", row: 2, colour: "cut" },
};
const ROWS = [LANE.decided, LANE.cut, LANE.bots];
const NEAR = 16; // px: what is nearer than that shares a mark

const FAILED = { letter: "!", words: "Reply failed", row: 1, colour: "cut" };

function eventAbout(event) {
  if (event.event === "reply_ended" && ["failed", "timeout"].includes(event.outcome)) return FAILED;
  return EVENTS[event.event] ?? { words: event.event, row: 2, colour: "bot" };
}

/** The letters on the stage, and the box that says what one stands for. */
class Marks {
  constructor(call, view, host, tip, seek) {
    Object.assign(this, { call, view, host, tip, seek });
    this.groups = [];
    host.addEventListener("pointerover", (e) => e.target.group && this.show(e.target.group));
    host.addEventListener("pointerout", () => this.hide());
    host.addEventListener("click", (e) => e.target.group && this.seek(e.target.group.shown.t));
  }

  /** Those in view; what stands too near to the one before it is told with it. */
  draw() {
    const rows = [[], [], []];
    for (const event of this.call.events) {
      if (event.t < this.view.start || event.t > this.view.end) continue;
      const row = rows[eventAbout(event).row];
      const [x, last] = [this.view.x(event.t), row[row.length - 1]];
      if (last && x - last.x < NEAR) last.events.push(event);
      else row.push({ x, events: [event] });
    }
    this.groups = rows.flatMap((groups, row) => groups.map(({ events }) => {
      const shown = events.find((event) => eventAbout(event).letter) ?? events[0];
      return { row, events, shown, x: this.view.x(shown.t) };
    }));
    this.host.replaceChildren(...this.groups.map((group) => this.badge(group)));
    if (!this.tip.hidden) this.hide();
  }

  badge(group) {
    const about = eventAbout(group.shown);
    const cut = group.events.some((event) => eventAbout(event).colour === "cut");
    const badge = document.createElement("b");
    badge.className = `${cut ? "cut" : about.colour}${about.letter ? "" : " small"}`;
    badge.textContent = about.letter ?? "";
    badge.style.left = `${group.x}px`;
    badge.style.top = `${ROWS[group.row]}px`;
    badge.group = group;
    group.badge = badge;
    return badge;
  }

  show(group) {
    this.hide();
    group.badge.classList.add("on");
    this.tip.replaceChildren(...group.events.slice(0, 6).flatMap(fields));
    this.tip.hidden = false;
    const wide = this.tip.offsetWidth;
    this.tip.style.left = `${Math.max(0, Math.min(this.view.width - wide, group.x - wide / 2))}px`;
    const [above, below] = [ROWS[group.row] - this.tip.offsetHeight - 8, ROWS[group.row] + 27];
    const room = this.host.getBoundingClientRect().top + above >= 0;
    this.tip.style.top = `${group.row === 2 && room ? above : below}px`;
  }

  hide() {
    this.tip.hidden = true;
    this.host.querySelector(".on")?.classList.remove("on");
  }
}

/** An event's name and fields, as elements. */
function fields(event) {
  const head = document.createElement("h3");
  head.textContent = `${eventAbout(event).words}, turn ${event.turn_index}`;
  const list = document.createElement("dl");
  for (const [name, value] of Object.entries(event)) {
    if (name === "turn_index") continue;
    const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    detail.textContent = typeof value === "number" && name.startsWith("t") ? `${value.toFixed(3)} s` : String(value);
    list.append(term, detail);
  }
  return [head, list];
}
