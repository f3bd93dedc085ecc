"use strict";

/**
 * What the page says of the call. A pure function of what is there now: nothing is remembered from what was shown before.
 *
 * call: "idle", "joining", "joined" or "reconnecting"
 * bot: a bot is in the room
 * mic: the state of Microphone
 * listeningTo: whom the node listens to: an identity, null for nobody, undefined where it did not say
 * me, others: the identity of this page, and those of all others in the room
 * hearing, pending, playing: the turn whose speech, awaited reply or playback is open, or null; see Conversation
 * insists: what plays can't be interrupted
 *
 * Returns state (`data-state`), heard (`data-heard`), and the word and hint for people.
 */
function stateOf({ call, bot, mic, listeningTo, me, others, hearing, pending, playing, insists }) {
  const heard = whoIsHeard(listeningTo, me, others);
  const say = (state, [word, hint]) => ({ state, heard, word, hint });
  if (call !== "joined") return say("idle", STATES[call]);
  if (!bot) return say("idle", STATES.waiting);
  const reason = whyUnheard(mic, heard);
  const unheard = reason && UNHEARD[reason](String(listeningTo).slice(0, 60), hearing !== null);
  if (hearing !== null && !reason) return say("hearing", STATES.hearing);
  if (playing !== null && insists) return say("speaking", STATES.insisting);
  const open = playing !== null ? "speaking" : pending !== null ? "thinking" : null;
  if (open) return say(open, [STATES[open][0], reason ? unheard[1] : STATES[open][1]]);
  return reason ? say("unheard", unheard) : say("listening", STATES.listening);
}

/** me, other, away (the node waits for somebody who left), nobody, or unknown. */
function whoIsHeard(listeningTo, me, others) {
  if (listeningTo === undefined) return "unknown";
  if (listeningTo === null) return "nobody";
  if (listeningTo === me) return "me";
  return others.includes(listeningTo) ? "other" : "away";
}

/** The key of UNHEARD that says why the bot does not hear this caller; null where it does. */
function whyUnheard(mic, heard) {
  if (mic === "refused") return "refused";
  if (heard === "other") return "other";
  if (mic !== "on") return mic === "off" ? "starting" : mic;
  return heard === "nobody" || heard === "away" ? heard : null;
}
