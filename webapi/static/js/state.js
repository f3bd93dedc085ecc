"use strict";

/**
 * What the page says of the call: a pure function of what is there now, and not of what was shown before.
 *
 * call: "idle", "joining", "joined" or "reconnecting"
 * bot: a bot is in the room
 * mic: the state of Microphone
 * listeningTo: the identity that the node listens to; null: nobody; undefined: it has not said
 * me, others: the identity of this page, and those of all others in the room
 * lastHeard, why: the identity that it listened to last, and the node's reason why it listens to nobody; or null
 * hungUp: the bot's reason for which it has hung up; null: it has not
 * hearing, pending, playing: trace ids of the open turn, reply and playback, or null; see Conversation
 * insists: the playback can't be interrupted
 *
 * Returns `state` (for data-state), `heard` (for data-heard), and the texts `word` and `hint`.
 */
function stateOf({ call, bot, mic, listeningTo, lastHeard, why, hungUp, me, others, hearing, pending, playing, insists }) {
  const heard = whoIsHeard(listeningTo, me, others);
  const say = (state, [word, hint]) => ({ state, heard, word, hint });
  if (typeof hungUp === "string" && call !== "joining") return say("idle", [STATES.hungUp[0], hungUp || STATES.hungUp[1]]);
  if (call !== "joined") return say("idle", STATES[call]);
  if (!bot) return say("idle", STATES.waiting);
  const reason = whyUnheard(mic, heard);
  const unheard = reason && UNHEARD[reason](String(listeningTo).slice(0, 60), hearing !== null, aboutMe(why, lastHeard, me));
  if (hearing !== null && !reason) return say("hearing", STATES.hearing);
  if (playing !== null && insists) return say("speaking", STATES.insisting);
  const open = playing !== null ? "speaking" : pending !== null ? "thinking" : null;
  if (open) return say(open, [STATES[open][0], reason ? unheard[1] : STATES[open][1]]);
  return reason ? say("unheard", unheard) : say("listening", STATES.listening);
}

/** Whom the node listens to: me, other, away (somebody who is not in the room), nobody or unknown. */
function whoIsHeard(listeningTo, me, others) {
  if (listeningTo === undefined) return "unknown";
  if (listeningTo === null) return "nobody";
  if (listeningTo === me) return "me";
  return others.includes(listeningTo) ? "other" : "away";
}

/** The node's reason why it hears nobody, where it is about this caller or about the node itself; else null. */
function aboutMe(why, lastHeard, me) {
  return lastHeard === me || ["connection_lost", "node_leaves"].includes(why) ? why : null;
}

/** Why the bot does not hear this caller, as a key of UNHEARD; null where it hears them. */
function whyUnheard(mic, heard) {
  if (mic === "refused") return "refused";
  if (heard === "other") return "other";
  if (mic !== "on") return mic === "off" ? "starting" : mic;
  return heard === "nobody" || heard === "away" ? heard : null;
}
