"use strict";

/** How long everything is kept for the timeline, in ms. */
const KEPT_MS = 60_000;
const NO_TRACE = "";
const SESSIONS_KEPT = 8; // sessions that are over; their late messages open nothing

/**
 * Reduces the node's messages to what is open in the current session and to what the timeline shows. Uses neither the page
 * nor the room. Messages have stream seconds (`t`); every time in here is in ms of this page's clock.
 */
class Conversation {
  constructor() {
    this.reset();
  }

  reset() {
    this.clocks = new Map(); // session_id → the StreamClock of that session
    this.caller = []; // spans {from, to|null, trace}
    this.bot = []; // spans {from, to|null, trace, cut}
    this.waits = []; // {from, to, ms}: from the caller's last voiced frame to the bot's first audio
    this.marks = []; // {at, name, trace}
    this.turns = 0;
    this.bargeIns = 0;
    this.me = null; // this page's identity in the room
    this.listeningTo = undefined; // the identity that the node listens to; null: nobody; undefined: it has not said
    this.lastHeard = null; // the identity that it listened to last
    this.why = null; // the node's reason why it listens to nobody
    this.hungUp = null; // the bot has hung up on this page's caller: its reason
    this.session = null; // the session_id whose messages may open something
    this.past = []; // session_ids that are over
    this.ended = new Map(); // trace → the time of the last voiced frame of its speech
    this.hearing = this.pending = this.playing = null; // trace ids of the open turn, reply and playback
    this.insists = false; // the playback can't be interrupted
  }

  /** Take one message of the node, which arrived at `now` ms. An unknown event becomes a mark. */
  take(message, now) {
    if (message.event === "turn") {
      if (text(message.prompt) === null) this.turns += 1; // a prompt is no turn of the caller's
      return;
    }
    if (message.event === "listening_to") {
      this.heardIs(text(message.identity), now);
      this.why = this.listeningTo === null ? text(message.reason) : null;
      return;
    }
    const session = text(message.session_id) || "";
    this.follow(session, now);
    const clock = this.clockOf(session, now, message.t);
    const at = clock.page(message.t, now);
    const trace = text(message.trace_id) || NO_TRACE;
    this.marks.push({ at, name: text(message.event) || "?", trace });
    const act = Conversation.acts[message.event];
    if (act && !this.past.includes(session)) act(this, { at, trace, message, clock, now });
    if (message.event === "session_broke") this.sessionOver(session, now);
    this.forget(now);
  }

  /** The bot has left, or another bot has taken its place: nothing is open, and whom it listens to is not known. */
  botLeft(now) {
    this.close(now);
    this.listeningTo = undefined;
  }

  /** End everything that is open. */
  close(now) {
    this.hearing = this.pending = this.playing = null;
    endSpans(this.caller, null, now);
    endSpans(this.bot, null, now);
  }

  /** The first message of a new session ends the session before: the node serves one at a time. */
  follow(session, now) {
    if (!session || session === this.session || this.past.includes(session)) return;
    if (this.session !== null) this.sessionOver(this.session, now);
    this.session = session;
  }

  sessionOver(session, now) {
    if (session !== this.session || this.past.includes(session)) return;
    this.past = [...this.past, session].slice(-SESSIONS_KEPT);
    this.close(now);
  }

  /** The node listens to somebody else from now on, or to nobody: the open speech ends. */
  heardIs(identity, now) {
    if (identity === this.listeningTo) return;
    this.listeningTo = identity;
    if (identity !== null) this.lastHeard = identity;
    this.hearing = null;
    endSpans(this.caller, null, now);
  }

  clockOf(session, now, t) {
    if (!this.clocks.has(session)) this.clocks = new Map([...this.clocks].slice(-3)).set(session, new StreamClock());
    const clock = this.clocks.get(session);
    clock.saw(t, now);
    return clock;
  }

  /** The reply of `trace` is over, however it ended: it is neither awaited nor played. */
  over(trace, at, cut) {
    if (this.pending === trace) this.pending = null;
    if (this.playing === trace) this.playing = null;
    endSpans(this.bot, trace, at, cut);
  }

  forget(now) {
    const since = now - KEPT_MS;
    for (const spans of [this.caller, this.bot, this.waits]) {
      while (spans.length && spans[0].to !== null && spans[0].to < since) spans.shift();
    }
    while (this.marks.length && this.marks[0].at < since) this.marks.shift();
    for (const [trace, at] of this.ended) if (at < since) this.ended.delete(trace);
  }
}

/** What each event of the node changes. */
Conversation.acts = {
  speech_started(c, { at, trace, message, clock, now }) {
    endSpans(c.caller, null, at);
    c.hearing = trace;
    if (typeof c.listeningTo === "string" && c.listeningTo !== c.me) return; // the lane shows this page's caller only
    c.caller.push({ from: clock.page(message.t_first_voiced ?? message.t, now), to: null, trace });
  },
  speech_ended(c, { trace, message, clock, now }) {
    const last = clock.page(message.t_last_voiced ?? message.t, now);
    endSpans(c.caller, null, last);
    c.hearing = null;
    if (message.reason === "cough") return; // a short interruption gets no answer
    c.pending = trace;
    c.ended.set(trace, last);
  },
  superseded(c, { at, trace }) {
    c.over(trace, at, true);
  },
  barge_in(c, { at, trace }) {
    c.bargeIns += 1;
    c.over(trace, at, true);
  },
  prompted(c, { trace }) {
    c.pending = trace;
  },
  reply_started(c, { trace }) {
    c.pending = trace;
  },
  reply_cut(c, { at, trace }) {
    c.over(trace, at, true);
  },
  filler_started(c, { at, trace }) {
    c.playing = trace; // it can be interrupted; the reply is still awaited
    c.insists = false;
    endSpans(c.bot, null, at);
    c.bot.push({ from: at, to: null, trace, cut: false });
  },
  playback_started(c, { at, trace, message }) {
    if (c.pending === trace) c.pending = null;
    c.playing = trace;
    c.insists = message.interruptible === false;
    endSpans(c.bot, null, at);
    c.bot.push({ from: at, to: null, trace, cut: false });
    const from = c.ended.get(trace);
    if (from !== undefined) c.waits.push({ from, to: at, ms: at - from });
  },
  playback_paused(c, { at, trace }) {
    if (c.playing === trace) c.playing = null; // a reply of which only the filler was heard is still awaited
    endSpans(c.bot, trace, at);
  },
  playback_resumed(c, { at, trace }) {
    if (c.pending === trace) return; // a filler does not go on
    c.playing = trace;
    c.bot.push({ from: at, to: null, trace, cut: false });
  },
  playback_ended(c, { at, trace }) {
    c.over(trace, at, false);
  },
  hung_up(c, { message }) {
    if (c.listeningTo === undefined || c.listeningTo === c.me) c.hungUp = text(message.reason) ?? "";
  },
};

/** End the open spans (of one trace, or of all) at `at`. */
function endSpans(spans, trace, at, cut = false) {
  for (const span of spans) {
    if (span.to === null && (trace === null || span.trace === trace)) {
      span.to = Math.max(span.from, at);
      span.cut = cut;
    }
  }
}

function text(value) {
  return typeof value === "string" ? value.slice(0, 200) : null;
}

/**
 * Converts stream seconds to this page's ms. The offset is that of the fastest of the last messages. So the distances
 * between marks of one session are the node's, whatever the delay of each message, and a drift of the clocks is followed.
 */
class StreamClock {
  constructor() {
    this.distances = [];
  }

  saw(t, now) {
    if (!Number.isFinite(t)) return;
    this.distances.push(now - t * 1000);
    if (this.distances.length > 32) this.distances.shift();
  }

  page(t, now) {
    return Number.isFinite(t) ? Math.min(now, t * 1000 + Math.min(...this.distances)) : now;
  }
}
